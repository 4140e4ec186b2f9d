/** A model that nobody has trained: whoever scales cares for its requests alone. */
import { inNotebook } from './cluster';

const script = (namespace: string) => `
from pathlib import Path

import torch

from sparsedm.artifact.artifact import Identity, save_artifact
from sparsedm.measure.macs import count_macs
from sparsedm.models import UViTConfig, build_model
from sparsedm.sparsity.layers import bake_masks, masks_for, select_layers
from sparsedm.sparsity.pattern import Pattern

torch.manual_seed(5)
pattern = Pattern(2, 4)
config = UViTConfig(32, 8, 1, width=32, depth=3, heads=2, num_classes=2, final_conv=False, prediction="v")
model = build_model(config)
with torch.no_grad():
    for parameter in model.parameters():
        parameter.normal_(std=0.2)
selection, state = select_layers(model, pattern), model.state_dict()
weights = bake_masks(state, masks_for(state, selection.selected, pattern))
folder = Path("/models/bags")
folder.mkdir()
identity = Identity("test", config, ["bag", "sandal"], pattern, selection)
macs = count_macs(config, selection.selected, pattern).status()
fid = {"metric": "fd-test", "dense": "1", "sparse": "2"}
save_artifact(folder, weights, identity, macs, fid, {"run": "${namespace}/bags", "configDigest": "x"})
`;

/** Writes it to /models/bags of the claim `models`. */
export function writeUntrainedModel(namespace: string): Promise<void> {
  return inNotebook(namespace, 'writer', 'sh', '-c', `umask 022; python -c '${script(namespace)}'`);
}
