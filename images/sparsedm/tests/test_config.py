"""Configurations: what is accepted, and for each error a sentence that names the field and the remedy."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from sparsedm.errors import ConfigError
from sparsedm.sparsity.pattern import Pattern
from sparsedm.training.config import TrainConfig, load_config, parse_config, with_output
from sparsedm.uris import PACKAGED_WEIGHTS, resolve_uri, uri_of

EXAMPLES = Path(__file__).parents[3] / "docs/examples"
MINIMAL: dict[str, Any] = {
    "model": {
        "preset": "fashion-mnist-uvit-tiny",
        "pretrained": {"uri": "file:///opt/sparsedm/weights/fashion-mnist-uvit-tiny.safetensors"},
    },
    "dataset": {"format": "fashion-mnist", "uri": "file:///opt/sparsedm/data/fashion-mnist"},
    "output": {"uri": "pvc://models/run-1"},
}
OWN_MODEL = {"imageSize": 32, "patchSize": 4, "channels": 1, "width": 64, "depth": 3, "heads": 2}
CUSTOM = {"type": "custom", "stages": [{"pattern": "7:8", "steps": 100}, {"pattern": "2:4", "steps": 200}]}


def with_value(path: str, value: Any, base: dict[str, Any] = MINIMAL) -> dict[str, Any]:
    """MINIMAL with one field set by its dotted path; None takes the field away."""
    made = copy.deepcopy(base)
    *parents, last = path.split(".")
    place = made
    for name in parents:
        place = place.setdefault(name, {})
    place.pop(last, None)
    if value is not None:
        place[last] = value
    return made


def problems_of(value: Any) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        parse_config(value)
    return raised.value.problems


def test_defaults_are_those_of_the_custom_resource() -> None:
    config = parse_config(MINIMAL)
    assert (config.sparsity.pattern, config.sparsity.method) == (Pattern(2, 4), "sparsedm")
    schedule = config.sparsity.schedule
    assert (schedule.type, schedule.rise_percent, schedule.frozen_percent) == ("progressive", 10, 80)
    assert (config.sparsity.regularization, config.sparsity.distillation_weight) == (0.0002, 0.1)
    assert (config.sparsity.mask_type, config.sparsity.l1_decay) == ("magnitude", 0.0001)
    assert config.sparsity.schedule.family == "linear"
    assert config.training.learning_rate_schedule == "constant"
    assert config.training.gradient_accumulation_steps == 1
    assert not config.training.gradient_checkpointing
    assert not config.training.compile
    assert config.training.sharding == "none"
    assert config.training.optimizer == "adamw"
    training = config.training
    assert (training.steps, training.batch_size, training.seed, training.precision) == (300, 64, 0, "fp32")
    assert (config.checkpoint.every_steps, config.checkpoint.keep) == (50, 2)
    evaluation = config.evaluation
    assert (evaluation.samples, evaluation.steps, evaluation.guidance, evaluation.every_steps) == (
        500,
        20,
        None,
        0,
    )


def test_everything_given_is_taken() -> None:
    value = with_value("sparsity", {
        "pattern": "4:8", "method": "sr-ste", "regularization": "0.001", "distillationWeight": "0",
        "layers": {"include": ["*.mlp.*"], "exclude": ["in_blocks.0.*"]},
        "schedule": {"type": "progressive", "family": "doubling", "freezeMaskPercent": 0},
        "maskType": "magnitude", "maskUpdateSteps": 7,
    })  # fmt: skip
    value["training"] = {
        "steps": 10, "batchSize": 2, "learningRate": "1e-3", "weightDecay": "0", "betas": ["0.95", "0.999"],
        "warmupSteps": 0, "emaDecay": "0.9", "precision": "fp16", "seed": 7, "gradientClip": "0.5",
        "learningRateSchedule": "cosine", "gradientAccumulationSteps": 4, "gradientCheckpointing": True,
        "compile": True,
    }  # fmt: skip
    config = parse_config(value)
    assert config.sparsity.include == ("*.mlp.*",)
    assert config.sparsity.exclude == ("in_blocks.0.*",)
    assert config.training.betas == (0.95, 0.999)
    assert config.training.learning_rate == 0.001
    assert config.training.gradient_clip == 0.5
    assert (config.sparsity.mask_update_steps, config.sparsity.schedule.family) == (7, "doubling")
    assert (config.training.precision, config.training.learning_rate_schedule) == ("fp16", "cosine")
    assert config.training.images_per_step == 8
    assert config.training.gradient_checkpointing
    assert config.training.compile


@pytest.mark.parametrize(
    ("method", "alpha"), [("sparsedm", 0.1), ("cast", 0.1), ("sr-ste", 0.0), ("dense", 0.0)]
)
def test_a_method_has_its_own_teacher_and_takes_another(method: str, alpha: float) -> None:
    assert parse_config(with_value("sparsity.method", method)).distillation_weight == alpha
    given = parse_config(with_value("sparsity", {"method": method, "distillationWeight": "10"}))
    assert given.distillation_weight == 10


@pytest.mark.parametrize(
    ("method", "pull"), [("sparsedm", 2e-4), ("sr-ste", 2e-4), ("sr-ste-decoupled", 3.0), ("ste", 0.0)]
)
def test_a_method_has_its_own_pull(method: str, pull: float) -> None:
    assert parse_config(with_value("sparsity.method", method)).sparsity.regularization == pull


def test_without_training_there_is_no_teacher() -> None:
    value = with_value("sparsity", {"method": "masked-dense", "distillationWeight": "0.1"})
    assert parse_config(value).distillation_weight == 0


def test_a_teacher_is_read_as_the_model_is() -> None:
    teacher = {"preset": "imagenet64-uvit-large", "pretrained": {"uri": "pvc://a/b.pth", "sha256": "0" * 64}}
    value = with_value("model", {**MINIMAL["model"], "preset": "imagenet64-uvit-mid", "teacher": teacher})
    found = parse_config(value).model.teacher
    assert found is not None
    assert (found.preset, found.pretrained_uri, found.pretrained_sha256) == (
        "imagenet64-uvit-large", "pvc://a/b.pth", "0" * 64,
    )  # fmt: skip


@pytest.mark.parametrize(("method", "want"), [("sparsedm", 1), ("ste", 1), ("cast", 10)])
def test_a_method_has_its_own_rhythm_of_masks(method: str, want: int) -> None:
    assert parse_config(with_value("sparsity.method", method)).sparsity.mask_update_steps == want


def test_an_own_model_becomes_the_networks_configuration() -> None:
    value = with_value(
        "model", {"config": OWN_MODEL, "pretrained": {"uri": "pvc://weights/dense.safetensors"}}
    )
    config = parse_config(value)
    assert config.model.preset is None
    assert config.model.config is not None
    assert config.model.config["image_size"] == 32
    assert config.model.config["prediction"] == "noise"


@pytest.mark.parametrize(
    ("format", "given", "want"),
    [
        ("cifar10", None, True),
        ("celeba", None, True),
        ("fashion-mnist", None, False),
        ("image-folder", None, False),
        ("image-folder", True, True),
        ("celeba", False, False),
    ],
)
def test_images_are_mirrored_as_in_the_published_runs_unless_told_otherwise(
    format: str, given: bool | None, want: bool
) -> None:
    value = with_value("dataset.horizontalFlip", given, with_value("dataset.format", format))
    assert parse_config(value).dataset.horizontal_flip is want


@pytest.mark.parametrize("suffix", [".safetensors", ".pth", ".pt", ".bin"])
def test_a_file_of_weights_may_have_any_of_the_usual_endings(suffix: str) -> None:
    config = parse_config(with_value("model.pretrained.uri", f"pvc://data/dense{suffix}"))
    assert config.model.pretrained_uri.endswith(suffix)


@pytest.mark.parametrize("architecture", ["unet", "dit", "diffusers"])
def test_a_directory_of_diffusers_needs_no_preset(architecture: str) -> None:
    model = {"architecture": architecture, "pretrained": {"uri": "pvc://weights/ddpm-cifar10"}}
    config = parse_config(with_value("model", model))
    assert (config.model.preset, config.model.config) == (None, None)
    assert config.sparsity.include == (), "the architecture's own layers"


def test_custom_stages() -> None:
    config = parse_config(with_value("sparsity.schedule", CUSTOM))
    assert config.sparsity.schedule.stages == ((Pattern(7, 8), 100), (Pattern(2, 4), 200))


@pytest.mark.parametrize(
    ("path", "value", "want"),
    [
        ("model", None, "model.preset or model.config is required"),
        ("model", "uvit", 'model must be an object with named fields, not "uvit"'),
        ("model.preset", "uvit-huge", "model.preset must be one of fashion-mnist-uvit-tiny"),
        ("model.config", OWN_MODEL, "model.preset or model.config is required, and not both"),
        ("model.architecture", "gan", "model.architecture must be one of uvit, unet, dit, diffusers"),
        ("model.architecture", "unet", "model.preset must be absent when model.architecture is unet"),
        ("model.architecture", "dit", "must be the directory that diffusers wrote when model"),
        ("model.pretrained.uri", "pvc://data/dense.ckpt", "ending in .safetensors, .pth, .pt, .bin"),
        ("model.pretrained", None, "model.pretrained.uri is required: give pvc://CLAIM/PATH or file:///PATH"),
        ("model.pretrained.uri", "s3://b/k.pth", "must be pvc://CLAIM/PATH or file:///PATH, or s3://BUCKET/PATH"),
        ("dataset.uri", "https://me:pw@host/data.tar", "dataset.uri must be pvc://CLAIM/PATH"),
        ("dataset.uri", "hf://owner", "dataset.uri must be pvc://CLAIM/PATH"),
        ("output.uri", "oci://h/r", "must be pvc://CLAIM/PATH or file:///PATH, or s3://BUCKET/PATH, gs://BU"),
        ("output.uri", "https://h/out", "output.uri must be pvc://CLAIM/PATH or file:///PATH, or s3://BUCKET"),
        ("model.pretrained.uri", "pvc://a/../b", "model.pretrained.uri must be"),
        ("output.uri", "pvc://data-/b", "output.uri must be pvc://CLAIM/PATH"),
        ("output.uri", "pvc://a.-b/c", "output.uri must be pvc://CLAIM/PATH"),
        ("model.pretrained.uri", "file:///a//b", "model.pretrained.uri must be"),
        ("model.pretrained.uri", "file:///a?b", "model.pretrained.uri must be"),
        ("model.pretrained.sha256", "abc", "sha256 must be 64 lower-case hexadecimal digits"),
        ("model.teacher", {}, "model.teacher.preset or model.teacher.config is required, and not both"),
        ("model.teacher", {"uri": "pvc://a/b.pth"}, "model.teacher.uri is not a field"),
        ("model.teacher.pretrained.uri", "pvc://a/b", "model.teacher.pretrained.uri must be a file ending"),
        ("model.teacher.pretrained.sha256", "a", "model.teacher.pretrained.sha256 must be 64 lower-case"),
        ("model.teacher.architecture", "dit", "model.teacher.pretrained.uri is required"),
        (
            "model.teacher",
            {"architecture": "dit", "preset": "cifar10-uvit-small"},
            "model.teacher.preset must be absent when model.teacher.architecture is dit: the config.json in",
        ),
        ("dataset.format", "mnist", "dataset.format must be one of fashion-mnist, cifar10"),
        ("dataset.uri", None, "dataset.uri is required"),
        ("dataset.horizontalFlip", "yes", "dataset.horizontalFlip must be true or false"),
        (
            "dataset", {"format": "mscoco256-features", "uri": "pvc://d/x", "horizontalFlip": False},
            "dataset.horizontalFlip must be absent when dataset.format is mscoco256-features",
        ),
        ("dataset.format", "imagenet256-features", "evaluation.autoencoderUri is required when dataset"),
        ("evaluation.autoencoderUri", "pvc://data/vae", "evaluation.autoencoderUri must be absent when"),
        ("dataset.format", "generated", "dataset.uri must be absent when dataset.format is generated"),
        ("sparsity.pattern", "4:2", "sparsity.pattern must be N:M with 1 <= N < M <= 32"),
        ("sparsity.pattern", 124, 'with 1 <= N < M <= 32, in quotes as "2:4", not 124'),
        ("sparsity.method", "magic", "sparsity.method must be one of sparsedm, sr-ste, sr-ste-decoupled"),
        ("sparsity.regularization", "-1", "sparsity.regularization must be a decimal from 0 to 100,"),
        ("sparsity.regularisation", "0.1", "did you mean sparsity.regularization?"),
        ("sparsity.schedule.type", "cosine", "schedule.type must be one of progressive, fixed, custom"),
        ("sparsity.schedule.freezeMaskPercent", 101, "must be a whole number from 0 to 100"),
        ("sparsity.schedule.rampPercent", 0, "rampPercent must be a whole number from 1 to 99"),
        ("sparsity.schedule", {"type": "fixed", "rampPercent": 20}, "it belongs to progressive"),
        ("sparsity.schedule.onRegression", "stop", "must be one of Continue, RollBack, Stop"),
        (
            "sparsity.schedule",
            {"onRegression": "Stop", "maxRegressionPercent": 1001},
            "maxRegressionPercent must be a whole number from 0 to 1000",
        ),
        ("sparsity", {"pattern": "31:32", "schedule": {"onRegression": "Stop"}}, "a schedule of one stage"),
        ("sparsity.schedule.family", "halves", "family must be one of linear, doubling"),
        ("sparsity.schedule", {"type": "fixed", "family": "doubling"}, "family must be absent when"),
        ("sparsity.maskType", "gradient", "must be one of magnitude, random, fixed, wanda, obs, energy"),
        ("sparsity.maskUpdateSteps", 0, "maskUpdateSteps must be a whole number from 1 to 1000000"),
        ("sparsity.l1Decay", "0.5", "l1Decay must be absent with method sparsedm: it belongs to cast"),
        ("evaluation.select", "best", "evaluation.select must be last without everySteps: best compares"),
        ("evaluation.select", "first", "evaluation.select must be one of last, best"),
        ("sparsity", {"method": "cast", "l1Decay": "-1"}, "sparsity.l1Decay must be a decimal from 0"),
        ("sparsity", {"method": "asp"}, "sparsity.schedule.type must be fixed with method asp"),
        ("sparsity", {"method": "s-ste", "maskType": "random"}, "must be magnitude with method s-ste"),
        ("sparsity", {"method": "cast", "maskType": "fixed"}, "method cast, which follows the magnitudes"),
        ("sparsity", {"method": "dense", "maskType": "fixed"}, "method dense, which masks nothing"),
        ("sparsity", {"method": "s-ste", "maskUpdateSteps": 5}, "s-ste recomputes its mask in each step"),
        ("sparsity", {"maskType": "fixed", "maskUpdateSteps": 5}, "a mask of type fixed never moves"),
        ("sparsity", {"maskType": "obs"}, "sparsity.schedule.type must be fixed with maskType obs"),
        ("sparsity", {"maskType": "obs", "pattern": "8:16"}, "groups of at most 12"),
        ("sparsity", {"method": "cast", "maskType": "wanda"}, "method cast, which follows the magnitudes"),
        ("sparsity", {"calibrationSamples": 9}, "calibrationSamples must be absent with maskType magnitude"),
        ("sparsity", {"maskType": "wanda", "calibrationSamples": 0}, "must be a whole number from 1"),
        ("sparsity.schedule.stages", [{"pattern": "2:4", "steps": 300}], "stages must be absent when"),
        ("sparsity.schedule", {"type": "custom"}, "stages is required when the type is custom"),
        ("sparsity.layers.include", "*", "sparsity.layers.include must be a list of texts"),
        ("training.steps", 0, "training.steps must be a whole number from 1"),
        ("training.steps", "300", 'training.steps must be a whole number from 1 to 100000000, not "300"'),
        ("dataset.classColumn", 3, "dataset.classColumn must be a text, not 3."),
        ("training.batchSize", True, "training.batchSize must be a whole number"),
        ("training.learningRate", "0", "training.learningRate must be a decimal above 0"),
        ("training.learningRate", "fast", 'as a text like "0.0002", not "fast"'),
        ("training.learningrate", "0.1", "did you mean training.learningRate?"),
        ("training.betas", ["0.9"], "training.betas must be a list of 2 decimals"),
        ("training.betas", ["0.9", "1"], "training.betas[1] must be a decimal"),
        ("training.emaDecay", "1", "training.emaDecay must be a decimal"),
        ("training.precision", "fp8", "training.precision must be one of fp32, bf16, fp16"),
        ("training.learningRateSchedule", "linear", "must be one of constant, cosine"),
        ("training.gradientAccumulationSteps", 0, "must be a whole number from 1 to 1024"),
        ("training.gradientCheckpointing", "yes", "gradientCheckpointing must be true or false"),
        ("training.compile", 1, "compile must be true or false"),
        ("training.sharding", "zero", "sharding must be one of none, fsdp"),
        (
            "training",
            {"sharding": "fsdp", "compile": True},
            "compile must be absent with training.sharding fsdp",
        ),
        ("training.refreshSteps", 300, "refreshSteps must be less than training.steps, which is 300"),
        ("training.optimizer", "sgd", "optimizer must be one of adamw, adafactor"),
        ("checkpoint.keep", 0, "checkpoint.keep must be a whole number from 1 to 100"),
        ("evaluation.samples", 1, "evaluation.samples must be a whole number from 2"),
        ("evaluation.guidance", "no", "evaluation.guidance must be a decimal from 0 to 20"),
        ("evaluation.sampler", "euler", "sampler must be one of dpm-solver++, ddim, euler-maruyama"),
        ("evaluation.extractorUri", "x", "evaluation.extractorUri must be pvc://CLAIM/PATH or file:///PATH"),
        ("output", None, "output.uri is required"),
        ("output.uri", "models", "output.uri must be pvc://CLAIM/PATH"),
        ("colour", "red", "colour is not a field: fields here are checkpoint, dataset"),
    ],
)  # fmt: skip
def test_each_problem_is_a_sentence_that_names_the_field(path: str, value: Any, want: str) -> None:
    problems = problems_of(with_value(path, value))
    assert any(want in problem for problem in problems), problems
    assert all(problem.endswith((".", "?")) for problem in problems)


@pytest.mark.parametrize(
    ("change", "want"),
    [
        ({"stages": [{"pattern": "2:4", "steps": 10}]}, "they make 10 steps, and training.steps is 300"),
        (
            {"stages": [{"pattern": "4:8", "steps": 300}]},
            "must end with the target sparsity.pattern 2:4, not 4:8",
        ),
        ({"stages": [{"pattern": "8:4", "steps": 300}]}, "sparsity.schedule.stages[0].pattern must be N:M"),
        ({"stages": [{"pattern": "2:4"}]}, "sparsity.schedule.stages[0].steps is required"),
        ({"stages": [{"pattern": "2:4", "step": 300}]}, "sparsity.schedule.stages[0].step is not a field"),
    ],
)
def test_problems_of_custom_stages(change: dict[str, Any], want: str) -> None:
    problems = problems_of(with_value("sparsity.schedule", {"type": "custom", **change}))
    assert any(want in problem for problem in problems), problems


@pytest.mark.parametrize(
    ("field", "value", "want"),
    [
        ("depth", 4, "model.config describes no U-ViT: depth 4 is even"),
        ("width", 65, "model.config describes no U-ViT: width 65 is not a multiple of heads 2"),
        ("imageSize", 30, "model.config describes no U-ViT: image_size 30 is not a multiple of patch_size 4"),
        ("heads", None, "model.config.heads is required"),
        ("headWidth", 2000, "model.config.headWidth must be a whole number from 1 to 1024"),
        ("mlpWidth", -1, "model.config.mlpWidth must be a whole number from 1 to 65536"),
        ("contextTokens", 77, "context_tokens and context_width are both 0, or both at least 1"),
        ("prediction", "x0", "model.config.prediction must be one of noise, v"),
    ],
)
def test_problems_of_an_own_model(field: str, value: Any, want: str) -> None:
    base = with_value(
        "model", {"config": OWN_MODEL, "pretrained": {"uri": "pvc://weights/dense.safetensors"}}
    )
    problems = problems_of(with_value(f"model.config.{field}", value, base))
    assert any(want in problem for problem in problems), problems


def test_all_problems_are_told_at_once() -> None:
    value = with_value("training", {"steps": 0, "learningRate": "x", "seeed": 1})
    value["dataset"] = {"format": "fashion-mnist"}
    assert len(problems_of(value)) == 4


def test_a_whole_finetune_manifest_is_accepted_and_the_operators_fields_are_left_alone(
    tmp_path: Path,
) -> None:
    text = """
apiVersion: sparsedm.io/v1alpha1
kind: SparseFinetune
metadata: {name: demo}
spec:
  model: {preset: fashion-mnist-uvit-tiny, pretrained: {uri: "pvc://weights/dense.safetensors"}}
  dataset: {format: generated, samples: 100}
  sparsity: {pattern: "2:4"}
  acceptance: {maxFidIncrease: "2.5"}
  trainer: {image: x}
  suspend: true
  backoffLimit: 3
  output: {uri: "pvc://models/demo"}
"""
    file = tmp_path / "finetune.yaml"
    file.write_text(text)
    assert load_config(str(file), {}).dataset.samples == 100


@pytest.mark.parametrize(
    "file", [file for file in sorted(EXAMPLES.glob("*.yaml")) if "kind: SparseFinetune" in file.read_text()]
)
def test_every_example_of_a_finetune_is_a_configuration(file: Path) -> None:
    assert load_config(str(file), {}).output.uri.startswith("pvc://")


CLAIM = "{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: models}}"


def manifest_of(name: str) -> str:
    return json.dumps({"kind": "SparseFinetune", "metadata": {"name": name}, "spec": MINIMAL})


@pytest.mark.parametrize(
    "documents", [[CLAIM, manifest_of("a")], [manifest_of("a"), CLAIM], ["", manifest_of("a"), "# the end"]]
)
def test_the_one_finetune_of_several_documents_is_taken(tmp_path: Path, documents: list[str]) -> None:
    file = tmp_path / "both.yaml"
    file.write_text("\n---\n".join(documents))
    assert load_config(str(file), {}) == parse_config(MINIMAL)


@pytest.mark.parametrize(
    ("documents", "want"),
    [
        (
            [manifest_of("a"), CLAIM, manifest_of("b")],
            r"both.yaml holds 2 SparseFinetunes \(a, b\), and one is trained at a time: give a file with one",
        ),
        ([CLAIM, "[1]"], r"holds PersistentVolumeClaim, \[1\] and no SparseFinetune: give the file of one"),
        (["{model: {}}", "{dataset: {}}"], "holds no kind, no kind and no SparseFinetune"),
        (["", ""], "the configuration must be an object with model, dataset"),
    ],
)
def test_several_documents_without_exactly_one_finetune(
    tmp_path: Path, documents: list[str], want: str
) -> None:
    file = tmp_path / "both.yaml"
    file.write_text("\n---\n".join(documents))
    with pytest.raises(ConfigError, match=want):
        load_config(str(file), {})


def test_the_environment_gives_json() -> None:
    assert load_config(None, {"SPARSEDM_CONFIG": json.dumps(MINIMAL)}) == parse_config(MINIMAL)


@pytest.mark.parametrize(
    ("file", "env", "want"),
    [
        (None, {}, "give --config FILE, or JSON in the environment variable SPARSEDM_CONFIG"),
        (None, {"SPARSEDM_CONFIG": "{a: [}"}, "SPARSEDM_CONFIG is neither JSON nor YAML"),
        (None, {"SPARSEDM_CONFIG": "[]"}, "the configuration must be an object with model, dataset"),
        ("/does/not/exist", {}, "the configuration file /does/not/exist can't be read"),
    ],
)
def test_no_readable_configuration(file: str | None, env: dict[str, str], want: str) -> None:
    with pytest.raises(ConfigError, match=want):
        load_config(file, env)


def test_two_spellings_of_one_run_have_one_digest_and_other_runs_another() -> None:
    spelled_out = with_value("training.learningRate", 0.0002)
    assert parse_config(MINIMAL).digest() == parse_config(spelled_out).digest()
    assert parse_config(MINIMAL).digest() != parse_config(with_value("training.seed", 1)).digest()
    # How many processes hold the model is no part of the experiment.
    sharded = parse_config(with_value("training.sharding", "fsdp"))
    assert sharded.training.sharding == "fsdp"
    assert parse_config(MINIMAL).digest() == sharded.digest()


@pytest.mark.parametrize(
    ("steps", "warmup", "every"), [(1, 0, 1), (10, 5, 10), (40, 20, 40), (50, 20, 50), (300, 20, 50)]
)
def test_warm_up_and_checkpoints_of_a_short_training_follow_its_steps(
    steps: int, warmup: int, every: int
) -> None:
    config = parse_config(with_value("training.steps", steps))
    assert (config.training.warmup_steps, config.checkpoint.every_steps) == (warmup, every)


JUDGED = yaml.safe_load(
    (Path(__file__).parents[3] / "test/integration/judged-alike.yaml").read_text(encoding="utf-8")
)
"""The cases of which the schema and this package must judge alike."""


def laid_over(base: Any, changes: Any) -> Any:
    if not isinstance(base, dict) or not isinstance(changes, dict):
        return changes
    made = base | {name: laid_over(base.get(name), value) for name, value in changes.items()}
    return {name: value for name, value in made.items() if value is not None}


@pytest.mark.parametrize("case", JUDGED["refused"], ids=lambda case: case["says"])
def test_what_the_schema_refuses_is_refused_by_the_same_field(case: dict[str, Any]) -> None:
    found = problems_of(laid_over(MINIMAL, case["spec"]))
    assert any(re.match(rf"{re.escape(case['field'])}[ .]", problem) for problem in found), found


@pytest.mark.parametrize("case", JUDGED["accepted"], ids=lambda case: case["says"])
def test_what_the_schema_accepts_is_accepted(case: dict[str, Any]) -> None:
    parse_config(laid_over(MINIMAL, case["spec"]))


def every_configuration() -> list[dict[str, Any]]:
    examples = [yaml.safe_load_all(file.read_text()) for file in sorted(EXAMPLES.glob("*.yaml"))]
    finetunes = [d["spec"] for file in examples for d in file if d and d["kind"] == "SparseFinetune"]
    own = with_value("model", {"config": OWN_MODEL, "pretrained": {"uri": "pvc://weights/d.pth"}})
    return [*finetunes, own, *(laid_over(MINIMAL, case["spec"]) for case in JUDGED["accepted"])]


def test_settings_make_the_same_configuration_again() -> None:
    specs = every_configuration()
    assert len(specs) > 10
    for spec in specs:
        config = parse_config(spec)
        written = json.loads(json.dumps(config.settings()))
        again = TrainConfig.from_settings(written)
        assert again == config
        assert again.digest() == config.digest()


def test_settings_have_every_default_and_nothing_of_the_pod() -> None:
    spec = {**MINIMAL, "trainer": {"env": [{"name": "TOKEN", "value": "s3cret"}]}, "suspend": True}
    config = parse_config({"kind": "SparseFinetune", "metadata": {"name": "x"}, "spec": spec})
    settings = config.settings()
    assert settings["training"]["learning_rate"] == 0.0002
    assert settings["evaluation"]["sampler"] == "dpm-solver++"
    assert "s3cret" not in json.dumps([settings, dict(config.given)])


@pytest.mark.parametrize(
    ("change", "want"),
    [
        (lambda s: s["training"].update(steps="many"), "training.steps: Input should be a valid integer"),
        (lambda s: s["training"].update(momentum=0.9), "whose training.momentum this one does not know"),
        (lambda s: s.pop("output"), "output: Field required"),
    ],
)
def test_settings_of_another_version_are_refused_by_field(change: Any, want: str) -> None:
    settings = parse_config(MINIMAL).settings()
    change(settings)
    with pytest.raises(ConfigError, match=want):
        TrainConfig.from_settings(settings)


def test_results_may_lie_elsewhere() -> None:
    config = parse_config(MINIMAL)
    moved = with_output(config, "pvc://models/again")
    assert (moved.output.uri, moved.given["output"]) == ("pvc://models/again", {"uri": "pvc://models/again"})
    assert moved.training == config.training
    with pytest.raises(ConfigError, match="--output must be pvc://CLAIM/PATH"):
        with_output(config, "https://host/again")


CRD = yaml.safe_load(
    (Path(__file__).parents[3] / "crds/sparsedm.io_sparsefinetunes.yaml").read_text(encoding="utf-8")
)


def numbers(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, str, float, float]]:
    """(path, type, low, high) of each number below a schema: of `minimum` and `maximum`, or of the rule that
    stands for them. A decimal has no lower bound here but 0."""
    for name, field in schema.get("properties", {}).items():
        at = f"{path}.{name}".lstrip(".")
        rules = " ".join(rule["rule"] for rule in field.get("x-kubernetes-validations", []))
        highest = re.search(r"(?:double[(]self[)]|self) <= ([0-9.]+)", rules)
        if "maximum" in field:
            yield at, "integer", field["minimum"], field["maximum"]
        elif highest and field["type"] == "integer":
            yield at, "integer", int(re.search(r"self >= ([0-9]+)", rules)[1]), int(highest[1])
        elif highest and "double(self)" in rules:
            yield at, "decimal", 0.0, float(highest[1])
        yield from numbers(field, at)


SPEC = CRD["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
NUMBERS = [
    found
    for part in ("model", "dataset", "sparsity", "training", "checkpoint", "evaluation")
    for found in numbers(SPEC[part], part)
]


@pytest.mark.parametrize(("path", "kind", "low", "high"), NUMBERS, ids=lambda value: str(value))
def test_numbers_have_the_bounds_of_the_schema(path: str, kind: str, low: float, high: float) -> None:
    base = with_value("model.preset", None, with_value("model.config", OWN_MODEL))
    beyond = (low - 1, high + 1) if kind == "integer" else (str(low - 1), str(high * 1.01))

    def is_refused(value: Any) -> bool:
        try:
            parse_config(with_value(path, value, base))
        except ConfigError as error:
            return any(problem.startswith(f"{path} must be a ") for problem in error.problems)
        return False

    within = (low, high) if kind == "integer" else (str(high),)
    assert [value for value in within if is_refused(value)] == []
    assert [value for value in beyond if not is_refused(value)] == []


def test_uris_become_paths() -> None:
    env = {"SPARSEDM_MOUNTS": "/mnt/x"}
    assert resolve_uri("pvc://claim/a/b", env) == Path("/mnt/x/claim/a/b")
    assert resolve_uri("pvc://claim/a/b", {}) == Path("/mnt/pvc/claim/a/b")
    assert resolve_uri("file:///etc/hosts", {}) == Path("/etc/hosts")
    assert uri_of(Path("/mnt/x/claim/a/b"), env) == "pvc://claim/a/b"
    assert uri_of(Path("/etc/hosts"), {}) == "file:///etc/hosts"
    assert resolve_uri("file:///opt/sparsedm/weights/not-there.safetensors", {}) == (
        PACKAGED_WEIGHTS / "not-there.safetensors"
    )
