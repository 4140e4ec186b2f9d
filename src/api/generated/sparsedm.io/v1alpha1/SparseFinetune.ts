import { type IObjectMeta } from "@kubernetes-models/apimachinery/apis/meta/v1/ObjectMeta";
import { Model, type ModelData, setValidateFunc, createTypeMetaGuard } from "@kubernetes-models/base";
import { type ValidateFunc } from "@kubernetes-models/validate";
import { validate } from "../../_schemas/SparsedmIoV1alpha1SparseFinetune";

/**
 * SparseFinetune fine-tunes a pre-trained dense diffusion model until its weight matrices are N:M sparse (2:4 by default), measures the sparse model against the dense one, and writes it to a volume claim. It runs once, as a Job.
 */
export interface ISparseFinetune {
  /**
   * Version of this API, sparsedm.io/v1alpha1.
   */
  "apiVersion": "sparsedm.io/v1alpha1";
  /**
   * SparseFinetune.
   */
  "kind": "SparseFinetune";
  "metadata"?: IObjectMeta;
  /**
   * What to train. Everything but suspend, backoffLimit, the deadlines, the times to live and, before a pod has started, queueName and trainer is immutable, because a run is one experiment: create another SparseFinetune for another experiment.
   */
  "spec": {
    /**
     * The dense model to start from.
     */
    "model": {
      /**
       * Family of the network. uvit is U-ViT, a vision transformer with long skip connections. The others are read from a folder of the diffusers library: unet is its UNet2DModel, dit its DiTTransformer2DModel, and diffusers any of its classes whose forward takes an image, a timestep and labels or text, such as UNet2DConditionModel. pipeline is a whole pipeline of that library from a prompt to an image, a folder with model_index.json, whose transformer or unet becomes sparse.
       */
      "architecture"?: "uvit" | "unet" | "dit" | "diffusers" | "pipeline";
      /**
       * A named U-ViT, with its sizes, number of classes, prediction and noise process: those that were published, and small ones: fashion-mnist-uvit-tiny, emoji-uvit-small and emoji-uvit-text.
       */
      "preset"?: "fashion-mnist-uvit-tiny" | "emoji-uvit-small" | "cifar10-uvit-small" | "celeba64-uvit-small" | "imagenet64-uvit-mid" | "imagenet64-uvit-large" | "imagenet256-uvit-large" | "imagenet256-uvit-huge" | "imagenet512-uvit-large" | "imagenet512-uvit-huge" | "mscoco256-uvit-small" | "mscoco256-uvit-small-deep" | "emoji-uvit-text";
      /**
       * Explicit sizes, for a U-ViT that no preset names.
       */
      "config"?: {
        /**
         * Height and width of the images in pixels.
         */
        "imageSize": number;
        /**
         * Height and width of a patch in pixels; imageSize is a multiple of it.
         */
        "patchSize": number;
        /**
         * Colour channels, 1 for grey and 3 for RGB; 4 for latents.
         */
        "channels": number;
        /**
         * Length of a token's vector; a multiple of heads, unless headWidth says what a head has.
         */
        "width": number;
        /**
         * Number of transformer blocks, odd: as many on the way down as on the way up, and one in the middle. A published depth of 12 is 13 blocks.
         */
        "depth": number;
        /**
         * Attention heads.
         */
        "heads": number;
        /**
         * Length of a head's vectors, for a network that lost heads (sparsedm diff-prune). Absent means width / heads.
         */
        "headWidth"?: number;
        /**
         * Hidden channels of each MLP, for a network that lost some. Absent means 4 \* width.
         */
        "mlpWidth"?: number;
        /**
         * Number of classes; 0 means an unconditional model.
         */
        "numClasses"?: number;
        /**
         * Number of vectors of the text that conditions an image, 77 for CLIP; used with contextWidth.
         */
        "contextTokens"?: number;
        /**
         * Length of each of these vectors, 768 for the CLIP that the published models use.
         */
        "contextWidth"?: number;
        /**
         * Whether a 3x3 convolution follows the last layer, as in the published U-ViT models.
         */
        "finalConv"?: boolean;
        /**
         * What the network predicts. noise is the published models' choice, v suits small models, velocity belongs to a rectified flow.
         */
        "prediction"?: "noise" | "v" | "velocity";
        /**
         * Whether the label table has one more row, after those of the classes, that stands for no class. Guidance needs it; the published models of ImageNet 64 have none.
         */
        "nullClass"?: boolean;
        /**
         * Share of the labels or texts that training drops, so that the model can be guided. A decimal string. Absent means 0.1 for a model that also predicts without them.
         */
        "labelDropout"?: string;
        /**
         * The noise process that the dense model was trained with. Absent means vp-linear with beta from 0.1 to 20, as in SparseDM. A diffusers folder gives it in its scheduler's configuration.
         */
        "noiseProcess"?: {
          /**
           * vp-linear is variance-preserving in continuous time with a beta that rises linearly, discrete-betas has discrete timesteps with given variances, rectified-flow is a straight line between image and noise.
           */
          "kind": "vp-linear" | "discrete-betas" | "rectified-flow";
          /**
           * Noise rate at time 0. A decimal string; absent means 0.1.
           */
          "betaMin"?: string;
          /**
           * Noise rate at time 1. A decimal string; absent means 20.
           */
          "betaMax"?: string;
          /**
           * How the variances rise from betaStart to betaEnd: linear, or scaled-linear (linear in their square roots, as in Stable Diffusion); cosine has neither.
           */
          "betaSchedule"?: "linear" | "scaled-linear" | "cosine";
          /**
           * Variance of the first timestep. A decimal string, for example "0.00085".
           */
          "betaStart"?: string;
          /**
           * Variance of the last timestep. A decimal string, for example "0.012".
           */
          "betaEnd"?: string;
          /**
           * Number of timesteps of discrete-betas. Absent means 1000.
           */
          "timesteps"?: number;
          /**
           * Moves the timesteps of a rectified flow towards noise, in training and in sampling. A decimal string; absent means 1, no shift.
           */
          "shift"?: string;
        };
      };
      /**
       * Where the first weights come from. pretrained reads them from model.pretrained; random draws them by training.seed, and the run trains a dense model, which a second run makes sparse.
       */
      "initialization"?: "pretrained" | "random";
      /**
       * Weights of the dense model. Required unless initialization is random.
       */
      "pretrained"?: {
        /**
         * For a U-ViT a .safetensors file, or a .pth, .pt or .bin file that holds a state dict and nothing else. For the other architectures a folder with config.json and diffusion_pytorch_model.safetensors, or a pipeline's folder with these in unet or transformer. Written as pvc://CLAIM/PATH in a volume claim of this namespace, file:///PATH inside the trainer's image, which ships file:///opt/sparsedm/weights/fashion-mnist-uvit-tiny.safetensors, s3://BUCKET/PATH, gs://BUCKET/PATH, https://HOST/PATH, hf://OWNER/REPO[@REVISION][/PATH] or oci://REGISTRY/REPOSITORY:TAG[@DIGEST][/FILE]. What lies outside the cluster is fetched by the trainer before it starts (spec.sources).
         */
        "uri": string;
        /**
         * SHA-256 digest of the file (of diffusion_pytorch_model.safetensors in a folder), 64 hexadecimal digits. When given, training starts only if it matches.
         */
        "sha256"?: string;
      };
      /**
       * Folder of the CLIP text encoder and tokenizer, as transformers writes them, that made the texts of the data set: both in one folder, or in text_encoder and tokenizer of a pipeline's. They are copied beside the model, so that a SparseInferenceService draws after prompts; training itself reads the encoded texts of the data set.
       */
      "textEncoderUri"?: string;
      /**
       * The network whose predictions the student follows, with weight sparsity.distillationWeight. Absent means the dense model itself; a smaller student can follow the model that it was made from. It must predict in the same space: the same images, prediction, noise process and conditions.
       */
      "teacher"?: {
        /**
         * Family of the network. uvit is U-ViT, a vision transformer with long skip connections. The others are read from a folder of the diffusers library: unet is its UNet2DModel, dit its DiTTransformer2DModel, and diffusers any of its classes whose forward takes an image, a timestep and labels or text, such as UNet2DConditionModel. pipeline is a whole pipeline of that library from a prompt to an image, a folder with model_index.json, whose transformer or unet becomes sparse.
         */
        "architecture"?: "uvit" | "unet" | "dit" | "diffusers" | "pipeline";
        /**
         * A named U-ViT, with its sizes, number of classes, prediction and noise process: those that were published, and small ones: fashion-mnist-uvit-tiny, emoji-uvit-small and emoji-uvit-text.
         */
        "preset"?: "fashion-mnist-uvit-tiny" | "emoji-uvit-small" | "cifar10-uvit-small" | "celeba64-uvit-small" | "imagenet64-uvit-mid" | "imagenet64-uvit-large" | "imagenet256-uvit-large" | "imagenet256-uvit-huge" | "imagenet512-uvit-large" | "imagenet512-uvit-huge" | "mscoco256-uvit-small" | "mscoco256-uvit-small-deep" | "emoji-uvit-text";
        /**
         * Explicit sizes, for a U-ViT that no preset names.
         */
        "config"?: {
          /**
           * Height and width of the images in pixels.
           */
          "imageSize": number;
          /**
           * Height and width of a patch in pixels; imageSize is a multiple of it.
           */
          "patchSize": number;
          /**
           * Colour channels, 1 for grey and 3 for RGB; 4 for latents.
           */
          "channels": number;
          /**
           * Length of a token's vector; a multiple of heads, unless headWidth says what a head has.
           */
          "width": number;
          /**
           * Number of transformer blocks, odd: as many on the way down as on the way up, and one in the middle. A published depth of 12 is 13 blocks.
           */
          "depth": number;
          /**
           * Attention heads.
           */
          "heads": number;
          /**
           * Length of a head's vectors, for a network that lost heads (sparsedm diff-prune). Absent means width / heads.
           */
          "headWidth"?: number;
          /**
           * Hidden channels of each MLP, for a network that lost some. Absent means 4 \* width.
           */
          "mlpWidth"?: number;
          /**
           * Number of classes; 0 means an unconditional model.
           */
          "numClasses"?: number;
          /**
           * Number of vectors of the text that conditions an image, 77 for CLIP; used with contextWidth.
           */
          "contextTokens"?: number;
          /**
           * Length of each of these vectors, 768 for the CLIP that the published models use.
           */
          "contextWidth"?: number;
          /**
           * Whether a 3x3 convolution follows the last layer, as in the published U-ViT models.
           */
          "finalConv"?: boolean;
          /**
           * What the network predicts. noise is the published models' choice, v suits small models, velocity belongs to a rectified flow.
           */
          "prediction"?: "noise" | "v" | "velocity";
          /**
           * Whether the label table has one more row, after those of the classes, that stands for no class. Guidance needs it; the published models of ImageNet 64 have none.
           */
          "nullClass"?: boolean;
          /**
           * Share of the labels or texts that training drops, so that the model can be guided. A decimal string. Absent means 0.1 for a model that also predicts without them.
           */
          "labelDropout"?: string;
          /**
           * The noise process that the dense model was trained with. Absent means vp-linear with beta from 0.1 to 20, as in SparseDM. A diffusers folder gives it in its scheduler's configuration.
           */
          "noiseProcess"?: {
            /**
             * vp-linear is variance-preserving in continuous time with a beta that rises linearly, discrete-betas has discrete timesteps with given variances, rectified-flow is a straight line between image and noise.
             */
            "kind": "vp-linear" | "discrete-betas" | "rectified-flow";
            /**
             * Noise rate at time 0. A decimal string; absent means 0.1.
             */
            "betaMin"?: string;
            /**
             * Noise rate at time 1. A decimal string; absent means 20.
             */
            "betaMax"?: string;
            /**
             * How the variances rise from betaStart to betaEnd: linear, or scaled-linear (linear in their square roots, as in Stable Diffusion); cosine has neither.
             */
            "betaSchedule"?: "linear" | "scaled-linear" | "cosine";
            /**
             * Variance of the first timestep. A decimal string, for example "0.00085".
             */
            "betaStart"?: string;
            /**
             * Variance of the last timestep. A decimal string, for example "0.012".
             */
            "betaEnd"?: string;
            /**
             * Number of timesteps of discrete-betas. Absent means 1000.
             */
            "timesteps"?: number;
            /**
             * Moves the timesteps of a rectified flow towards noise, in training and in sampling. A decimal string; absent means 1, no shift.
             */
            "shift"?: string;
          };
        };
        /**
         * Weights of the teacher.
         */
        "pretrained": {
          /**
           * For a U-ViT a .safetensors file, or a .pth, .pt or .bin file that holds a state dict and nothing else. For the other architectures a folder with config.json and diffusion_pytorch_model.safetensors, or a pipeline's folder with these in unet or transformer. Written as pvc://CLAIM/PATH in a volume claim of this namespace, file:///PATH inside the trainer's image, which ships file:///opt/sparsedm/weights/fashion-mnist-uvit-tiny.safetensors, s3://BUCKET/PATH, gs://BUCKET/PATH, https://HOST/PATH, hf://OWNER/REPO[@REVISION][/PATH] or oci://REGISTRY/REPOSITORY:TAG[@DIGEST][/FILE]. What lies outside the cluster is fetched by the trainer before it starts (spec.sources).
           */
          "uri": string;
          /**
           * SHA-256 digest of the file (of diffusion_pytorch_model.safetensors in a folder), 64 hexadecimal digits. When given, training starts only if it matches.
           */
          "sha256"?: string;
        };
      };
    };
    /**
     * Images to train on.
     */
    "dataset": {
      /**
       * How the images are stored. fashion-mnist is its four IDX files, cifar10 its Python or binary batches, celeba the aligned images, without its test and validation splits when the partition file is beside them. image-folder is a folder of images: those that its metadata.jsonl names, with classes in one of the columns, or all of them, with a folder for each class or without classes; classes are in natural order (2 before 10). generated takes samples of the dense model itself. imagenet256-features and imagenet512-features are latents with labels and mscoco256-features latents with text, as `sparsedm convert` writes them from .npy files. emoji-features are small latents with text, as `sparsedm encode` writes them from captioned images. The last two belong to model.architecture pipeline: prompts is a text file of one prompt in a line, or a folder whose metadata.jsonl has them as text, after which the dense pipeline is recorded; recording is a folder that `sparsedm record` wrote.
       */
      "format": "fashion-mnist" | "cifar10" | "celeba" | "image-folder" | "imagenet256-features" | "imagenet512-features" | "mscoco256-features" | "emoji-features" | "generated" | "prompts" | "recording";
      /**
       * Folder with the images, as pvc://CLAIM/PATH in a volume claim of this namespace or file:///PATH inside the trainer's image. The image ships file:///opt/sparsedm/data/fashion-mnist.
       */
      "uri"?: string;
      /**
       * Column of the image folder's metadata.jsonl that holds the class, as text or as a whole number; when absent it is the column label.
       */
      "classColumn"?: string;
      /**
       * Number of images that format generated makes before training, or the most trajectories that format prompts records, one of each prompt; absent there means 10000.
       */
      "samples"?: number;
      /**
       * Whether training mirrors each image, left to right, with probability 1/2. Absent means as in the published runs: true for cifar10 and celeba, false for any other format. The published runs of ImageNet 64 mirror too, so write true for their image-folder.
       */
      "horizontalFlip"?: boolean;
      /**
       * Calls of the denoiser that format prompts records of each trajectory: one, by chance, of each of as many equal spans of it. Absent means 4. evaluation.steps says how many steps a trajectory has.
       */
      "callsPerTrajectory"?: number;
      /**
       * Height and width in pixels of the images that a pipeline draws, where they are recorded and where they are measured. Absent means the pipeline's own.
       */
      "imageSize"?: number;
      /**
       * guidance_scale of a pipeline, where it is recorded and where it is measured; 1 turns most pipelines' guidance off. Absent means the pipeline's own. A decimal string.
       */
      "guidanceScale"?: string;
    };
    /**
     * Which weights become zero, and how the model gets there.
     */
    "sparsity"?: {
      /**
       * N:M sparsity. Of every M consecutive weights along a layer's input the N with the largest magnitude stay. 2:4 is what NVIDIA GPUs since Ampere accelerate.
       */
      "pattern"?: string;
      /**
       * How gradients reach masked weights. sparsedm is sr-ste, by default with a teacher; sr-ste regularises masked weights, sr-ste-decoupled does so beside Adam's rescaling; ste is the plain straight-through estimator; s-ste prunes by a continuous threshold; cast pulls masked weights to zero in the optimizer; asp prunes once and trains what is left. masked-dense trains nothing and only masks the dense model, and dense trains on without masks: both are baselines to compare with.
       */
      "method"?: "sparsedm" | "sr-ste" | "sr-ste-decoupled" | "ste" | "s-ste" | "cast" | "asp" | "dense" | "masked-dense";
      /**
       * What decides which weights stay. magnitude ranks the current weights. wanda and energy multiply them by the norm of their inputs, or its square, which calibration finds on the dense model; obs also moves the kept weights so that they make up for the others, before the first step. fixed ranks the weights of the dense model, and random draws the mask by training.seed; these two give masks that never move, to compare with.
       */
      "maskType"?: "magnitude" | "random" | "fixed" | "wanda" | "obs" | "energy";
      /**
       * Images, or recorded calls of a pipeline, on which maskType wanda, obs or energy sees the inputs of the layers before the first step. When absent, 128.
       */
      "calibrationSamples"?: number;
      /**
       * Steps between two updates of a mask that moves, counted from the beginning of a stage. When absent, the mask is updated in each step, and every 10 steps by method cast.
       */
      "maskUpdateSteps"?: number;
      /**
       * Which pattern applies when.
       */
      "schedule"?: {
        /**
         * progressive goes through looser patterns first (see family, rampPercent), fixed has the target pattern from the first step, custom takes the stages given.
         */
        "type"?: "progressive" | "fixed" | "custom";
        /**
         * Patterns in order, for type custom. Their steps add up to training.steps, and the last one is the target pattern.
         */
        "stages"?: Array<{
          /**
           * N:M sparsity in this stage.
           */
          "pattern": string;
          /**
           * Training steps in this stage.
           */
          "steps": number;
        }>;
        /**
         * The looser patterns of type progressive. linear raises sparsity by eighths, 7:8, 6:8, 5:8, 4:8, and doubling from 31:32 over 15:16, 7:8 and 3:4; both end with the target. Patterns that are no looser than the target are left out. Absent means linear.
         */
        "family"?: "linear" | "doubling";
        /**
         * Share of the steps, at the start, in which sparsity rises, for type progressive: the looser patterns divide it equally and the target pattern has the rest. Absent means 10; 80 gives five patterns equal parts, as in the paper.
         */
        "rampPercent"?: number;
        /**
         * Share of the steps, at the end, in which the mask no longer changes. It never begins before the last stage; 0 means that the mask moves to the end. Absent means 80; the paper has 15.
         */
        "freezeMaskPercent"?: number;
        /**
         * What happens where a stage ends with a distance more than maxRegressionPercent above that after the last good stage; the first stage is good. RollBack ends the training and makes the model of the last good stage the result, with that stage's pattern. Stop ends the run as failed, and keeps that stage's checkpoint. Both take an evaluation at the end of each stage. Continue, which is meant when absent, judges no stage.
         */
        "onRegression"?: "Continue" | "RollBack" | "Stop";
        /**
         * How far, in per cent, the distance may rise from the last good stage to the next. It has to leave room for the noise of evaluation.samples. Absent means 10.
         */
        "maxRegressionPercent"?: number;
      };
      /**
       * Which layers are masked, by module name.
       */
      "layers"?: {
        /**
         * Globs of the modules to mask. A layer whose input isn't a multiple of M stays dense and is reported. When absent, in a U-ViT \*.attn.qkv, \*.attn.proj, \*.mlp.fc1, \*.mlp.fc2 and \*.skip_linear; in a DiT \*.attn1.to_\* and \*.ff.net.\*; in a UNet every layer but conv_in and conv_out; in another class every layer but the first, the last, embeddings and norms.
         */
        "include"?: Array<string>;
        /**
         * Globs of modules that stay dense although include names them.
         */
        "exclude"?: Array<string>;
      };
      /**
       * Lambda of SR-STE, the pull of masked weights towards zero, for methods sparsedm, sr-ste and sr-ste-decoupled. A decimal string; absent means 0.0002, and 3 for sr-ste-decoupled, whose pull Adam does not enlarge: that is as strong in the shipped model.
       */
      "regularization"?: string;
      /**
       * Alpha, the weight of the distance to the teacher's prediction in the loss, for every method that trains. The teacher is the dense model, unless model.teacher names another. A decimal string; absent means 0.1 for methods sparsedm and cast, and 0, no teacher, for the others.
       */
      "distillationWeight"?: string;
      /**
       * Strength of the L1 decay of method cast. Until the mask freezes, the optimizer sees ever less of a masked weight's gradient and ever more of this decay. A decimal string; absent means 0.0001.
       */
      "l1Decay"?: string;
    };
    /**
     * Settings of the optimizer. The defaults suit the small model in the trainer's image; published models train far longer.
     */
    "training"?: {
      /**
       * Total number of optimizer steps.
       */
      "steps"?: number;
      /**
       * Images in a batch. A step takes one batch, unless gradientAccumulationSteps says more.
       */
      "batchSize"?: number;
      /**
       * Batches whose gradients a step adds up: the result of a batch that is larger by this factor, in the memory of a single one.
       */
      "gradientAccumulationSteps"?: number;
      /**
       * Whether a block's activations are recomputed in the backward pass instead of kept: less memory for about a third more time, and the same gradients.
       */
      "gradientCheckpointing"?: boolean;
      /**
       * Whether the networks are compiled by torch.compile: faster steps after a minute or so at the start. Needs a trainer image with a compiler, which the default one does not have.
       */
      "compile"?: boolean;
      /**
       * What each of several processes (one for each GPU, in all pods) holds of the model. "none" is all of it. "fsdp" is its share of weights, gradients, optimizer state, moving average and masks, of the student and of its teacher: for a model that does not fit one GPU. A block is gathered while it computes. Results differ by rounding only, and a run may go on with the other setting.
       */
      "sharding"?: "none" | "fsdp";
      /**
       * What steps the weights. "adamw" keeps two moments of each weight, 8 bytes. "adafactor" keeps means of the rows and columns of a matrix instead, which is next to nothing, and takes no betas; it takes the same learning rate and weight decay.
       */
      "optimizer"?: "adamw" | "adafactor";
      /**
       * Of a pipeline: after every so many steps the sparse pipeline as it is then draws trajectories, and what the dense denoiser answers to its calls is recorded; every second batch is of those until the next time. Against drift from states that only the dense pipeline comes to. Takes the whole pipeline and both denoisers in the memory of one device meanwhile. 0 is never.
       */
      "refreshSteps"?: number;
      /**
       * Learning rate of the optimizer after the warm-up. A decimal string.
       */
      "learningRate"?: string;
      /**
       * Weight decay, beside the gradient as in AdamW. A decimal string.
       */
      "weightDecay"?: string;
      /**
       * The two betas of AdamW, decimal strings; adafactor has none.
       */
      "betas"?: Array<string>;
      /**
       * Steps in which the learning rate rises linearly from 0; less than steps. 20 when absent, or half of steps where that is less.
       */
      "warmupSteps"?: number;
      /**
       * The learning rate after the warm-up. constant is the paper's choice, cosine falls to 0 at the end.
       */
      "learningRateSchedule"?: "constant" | "cosine";
      /**
       * Decay of the exponential moving average of the weights, which becomes the sparse model. A decimal string.
       */
      "emaDecay"?: string;
      /**
       * Arithmetic of the forward and backward pass; weights and optimizer are always fp32. fp16 scales the loss, and after an overflow recomputes the gradient with a smaller scale.
       */
      "precision"?: "fp32" | "bf16" | "fp16";
      /**
       * Seed of everything random, so that a run can be repeated.
       */
      "seed"?: number;
      /**
       * Largest norm of the gradient; a longer one is scaled down to it. 0 turns it off. A decimal string.
       */
      "gradientClip"?: string;
    };
    /**
     * Checkpoints, from which an interrupted run resumes by itself. They are in the folder checkpoints under output.uri.
     */
    "checkpoint"?: {
      /**
       * Steps between two checkpoints; at most training.steps. 50 when absent, or training.steps where that is less. One is also saved on termination.
       */
      "everySteps"?: number;
      /**
       * Number of checkpoints to keep, the newest ones.
       */
      "keep"?: number;
    };
    /**
     * How the dense and the sparse model are measured and compared, with the same seeds.
     */
    "evaluation"?: {
      /**
       * fid refuses any extractor but the standard Inception network, and any reference but real images or statistics, before training starts. fd takes the extractor that extractorUri names, and the distance is named after it: fd-NAME, or fd-NAME-decoded against decodings of latents, or fd-NAME-dense-samples against samples of the dense model.
       */
      "metric"?: "fid" | "fd";
      /**
       * Samples that each model draws for the Frechet distance. The distance falls as their number grows, so compare only distances over the same number. With no more samples than the extractor has features it is rank-deficient, and the status says so.
       */
      "samples"?: number;
      /**
       * Sampler steps for an image. euler-maruyama needs many, 1000 in the paper.
       */
      "steps"?: number;
      /**
       * Strength s of classifier-free guidance, c + s (c - u) as in U-ViT, for models with classes or text; 0 turns it off. DiT's published scale is 1 + s. A decimal string.
       */
      "guidance"?: string;
      /**
       * The sampler. dpm-solver++ solves the probability-flow ODE in few steps, ddim by its first order, euler-maruyama integrates the reverse SDE, as in the published figures of CIFAR-10 and CelebA.
       */
      "sampler"?: "dpm-solver++" | "ddim" | "euler-maruyama";
      /**
       * Arithmetic of the networks while both draw their samples: weights and activations in it, the sampler in fp32, as a server computes.
       */
      "precision"?: "fp32" | "bf16" | "fp16";
      /**
       * Other precisions in which the sparse model will be served, and is therefore measured too. Each one takes the time of another evaluation. The gate judges each, and a SparseInferenceService's gate the one that it serves.
       */
      "servedPrecisions"?: Array<"fp32" | "bf16" | "fp16">;
      /**
       * Network whose features the distance compares, and after which it is named: a .safetensors file that `sparsedm train-extractor` wrote, or the Inception weights of FID, a .pth or .pt file that holds a state dict alone. The distance is called FID only with pt_inception-2015-12-05-6726825d.pth, which you have to put in a volume claim; its digest is checked.
       */
      "extractorUri"?: string;
      /**
       * Statistics of real images' features to compare with, instead of images: an .npz file with mu and sigma over the same extractor, as pytorch-fid writes it. Precision, recall and KID are then absent, unless `sparsedm evaluate --save-reference` wrote it.
       */
      "referenceStatsUri"?: string;
      /**
       * Held-out data to compare with, instead of spec.dataset. Its images become the reference; for a model of latents they may be real images of the decoded size. Of a format with text its captions are drawn after, instead of those of spec.dataset. Where it has classes, they are those of spec.dataset.
       */
      "dataset"?: {
        /**
         * How the data are stored, as in spec.dataset.format.
         */
        "format": "fashion-mnist" | "cifar10" | "celeba" | "image-folder" | "imagenet256-features" | "imagenet512-features" | "mscoco256-features" | "emoji-features" | "prompts";
        /**
         * Folder with the data, as in spec.dataset.uri. It is mounted read-only.
         */
        "uri": string;
        /**
         * Which images of fashion-mnist, cifar10 or celeba: those to test with, or those to train with. Absent means test.
         */
        "split"?: "test" | "train";
        /**
         * Column of the image folder's metadata.jsonl that holds the class, as in spec.dataset.
         */
        "classColumn"?: string;
      };
      /**
       * Folder of diffusers' AutoencoderKL, as in dataset.uri, which decodes latents to images before they are measured. Required with the formats that hold latents. It is copied beside the model, so that a SparseInferenceService serves images.
       */
      "autoencoderUri"?: string;
      /**
       * Folder of a CLIP model of transformers with its processor and its tokenizer, as in dataset.uri. It scores how well images of the dense and of the sparse pipeline fit their prompts. Only with model.architecture pipeline.
       */
      "clipUri"?: string;
      /**
       * Steps between two evaluations during training; 0 means only at the end.
       */
      "everySteps"?: number;
      /**
       * Which weights are exported. last: those after the last step. best: those with the smallest distance among all that were evaluated under the target pattern, every everySteps steps and at the end, on other seeds than those behind the figures in the status.
       */
      "select"?: "last" | "best";
    };
    /**
     * The quality gate. A SparseInferenceService serves a model only when its gate has passed. A gate that fails doesn't undo the training. Absent means that every model passes.
     */
    "acceptance"?: {
      /**
       * Largest increase of the distance over the dense model, in the distance's own unit. A decimal string.
       */
      "maxFidIncrease"?: string;
      /**
       * Largest increase of the distance, in per cent of the dense model's distance.
       */
      "maxFidIncreasePercent"?: number;
      /**
       * Smallest reduction of the masked layers' multiply-accumulates, in per cent.
       */
      "minMacsReductionPercent"?: number;
    };
    /**
     * Where the run writes its results.
     */
    "output": {
      /**
       * Folder for the model, its manifest, the sample grid, the report and the checkpoints: pvc://CLAIM/PATH in a volume claim of this namespace, or s3://BUCKET/PATH, gs://BUCKET/PATH or oci://REGISTRY/REPOSITORY:TAG, to which the trainer uploads after each checkpoint (spec.sources). Each run needs a folder, or a tag, of its own.
       */
      "uri": string;
    };
    /**
     * How the trainer fetches what lies outside the cluster: URIs of s3, gs, https, hf and oci. The operator itself fetches nothing. What is fetched, with its digest, is in status.sources.
     */
    "sources"?: {
      /**
       * Secrets with which URIs are read. For each URI the longest prefix decides; a URI without one is read without credentials, or with those that the pod has by spec.trainer.serviceAccountName.
       */
      "credentials"?: Array<{
        /**
         * Beginning of the URIs, up to the end of a part, for example s3://BUCKET, https://HOST/PATH, hf://OWNER or hf:// for all of a kind.
         */
        "prefix": string;
        /**
         * Secret of this namespace. For s3 its keys are AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, where there are any, AWS_SESSION_TOKEN, AWS_REGION and AWS_ENDPOINT_URL (of any other server than Amazon's); for gs service-account.json; for https token, or username and password; for hf token, and HF_ENDPOINT for another hub; for oci .dockerconfigjson. It is mounted into the pod, and read anew when credentials expire.
         */
        "secretName": string;
      }>;
      /**
       * Where fetched files are kept. Absent means the pod's own /tmp, so that each pod fetches again.
       */
      "cache"?: {
        /**
         * Volume claim of this namespace, which runs may share: a file is fetched once, and is whole or absent. Files lie in its folder sparsedm-sources, and nothing deletes them.
         */
        "claim": string;
      };
      /**
       * Certificate authorities that servers and proxies may be signed by, besides the public ones.
       */
      "trustedCA"?: {
        /**
         * ConfigMap of this namespace.
         */
        "configMapName": string;
        /**
         * Its key with the certificates in PEM. Absent means ca.crt.
         */
        "key"?: string;
      };
    };
    /**
     * The training pod.
     */
    "trainer"?: {
      /**
       * Number of pods that train together, each with the resources below and a share of every batch. All read and write the claims, so those must be ReadWriteMany, or all pods land on one node. When one pod ends, all start again from the last checkpoint. Absent means 1.
       */
      "nodes"?: number;
      /**
       * Scheduler of the pod. Absent means the cluster's default one.
       */
      "schedulerName"?: string;
      /**
       * How the run's pods are spread over hosts or zones, as in a Pod, which also counts them. Absent means as the cluster's scheduler does by default.
       */
      "topologySpreadConstraints"?: Array<{
        /**
         * Label of nodes whose values are the places, for example topology.kubernetes.io/zone.
         */
        "topologyKey": string;
        /**
         * Largest difference between the numbers of pods in two places. Absent means 1.
         */
        "maxSkew"?: number;
        /**
         * Whether a pod that fits nowhere is placed all the same (ScheduleAnyway) or waits (DoNotSchedule).
         */
        "whenUnsatisfiable": "ScheduleAnyway" | "DoNotSchedule";
        /**
         * Number of places below which the least number of pods in a place counts as 0.
         */
        "minDomains"?: number;
        /**
         * Whether places with no node for the pod's nodeSelector and affinity are left out (Honor, the default) or count.
         */
        "nodeAffinityPolicy"?: "Honor" | "Ignore";
        /**
         * Whether nodes whose taints the pod does not tolerate are left out (Honor) or count (Ignore, the default).
         */
        "nodeTaintsPolicy"?: "Honor" | "Ignore";
      }>;
      /**
       * User and groups of the pod in place of the chart's (workloads.podSecurityContext). On OpenShift leave it out, since the cluster assigns them.
       */
      "securityContext"?: {
        /**
         * User that the trainer runs as; never root.
         */
        "runAsUser"?: number;
        /**
         * Its group.
         */
        "runAsGroup"?: number;
        /**
         * Group of the files on the volumes.
         */
        "fsGroup"?: number;
        /**
         * Further groups, for example of a file server.
         */
        "supplementalGroups"?: Array<number>;
      };
      /**
       * Secrets and ConfigMaps of this namespace whose keys become environment variables. Variables of env and of the operator win over them.
       */
      "envFrom"?: Array<{
        /**
         * Put before each name.
         */
        "prefix"?: string;
        /**
         * A Secret.
         */
        "secretRef"?: {
          /**
           * Name of the Secret.
           */
          "name": string;
          /**
           * When true, the pod starts although the Secret is missing.
           */
          "optional"?: boolean;
        };
        /**
         * A ConfigMap.
         */
        "configMapRef"?: {
          /**
           * Name of the ConfigMap.
           */
          "name": string;
          /**
           * When true, the pod starts although the ConfigMap is missing.
           */
          "optional"?: boolean;
        };
      }>;
      /**
       * Volumes beside those of the URIs, of kinds that the restricted pod security standard admits.
       */
      "volumes"?: Array<{
        /**
         * Name that volumeMounts refer to.
         */
        "name": string;
        /**
         * A file for each key of a ConfigMap.
         */
        "configMap"?: {
          /**
           * Name of the ConfigMap.
           */
          "name": string;
        };
        /**
         * A file for each key of a Secret.
         */
        "secret"?: {
          /**
           * Name of the Secret.
           */
          "secretName": string;
        };
        /**
         * A volume claim.
         */
        "persistentVolumeClaim"?: {
          /**
           * Name of the claim.
           */
          "claimName": string;
          /**
           * Mount it read-only.
           */
          "readOnly"?: boolean;
        };
        /**
         * An empty folder that lives as long as the pod.
         */
        "emptyDir"?: {
          /**
           * Memory keeps it in memory, which counts against the container's limit. Absent means the node's disk.
           */
          "medium"?: "Memory";
          /**
           * The most that it may hold, for example 20Gi.
           */
          "sizeLimit"?: string;
        };
      }>;
      /**
       * Where the volumes lie in the container.
       */
      "volumeMounts"?: Array<{
        /**
         * Name of one of the volumes.
         */
        "name": string;
        /**
         * Folder in the container.
         */
        "mountPath": string;
        /**
         * Folder or file in the volume. Absent means all of it.
         */
        "subPath"?: string;
        /**
         * Mount it read-only.
         */
        "readOnly"?: boolean;
      }>;
      /**
       * Container image to run instead of the operator's default one. It must hold the same release of the sparsedm package.
       */
      "image"?: string;
      /**
       * When the node pulls the image, as in a Pod. Absent means Always for the tag latest and IfNotPresent for any other.
       */
      "imagePullPolicy"?: "Always" | "IfNotPresent" | "Never";
      /**
       * Secrets of this namespace with the credentials of the image's registry.
       */
      "imagePullSecrets"?: Array<{
        /**
         * Name of the Secret.
         */
        "name": string;
      }>;
      /**
       * Compute resources of the container, as in a Pod. Ask for GPUs in limits, for example nvidia.com/gpu set to 1.
       */
      "resources"?: {
        /**
         * What the scheduler reserves, for example cpu "2" and memory 4Gi. Absent means the same as limits.
         */
        "requests"?: {
          [key: string]: number | string;
        };
        /**
         * The most that the container may use, for example memory 8Gi or nvidia.com/gpu 1.
         */
        "limits"?: {
          [key: string]: number | string;
        };
      };
      /**
       * Labels that a node must carry to run the pod.
       */
      "nodeSelector"?: {
        [key: string]: string;
      };
      /**
       * Taints that the pod accepts, as in a Pod. GPU nodes are often tainted with nvidia.com/gpu.
       */
      "tolerations"?: Array<{
        /**
         * Key of the taint. Absent with operator Exists means every taint.
         */
        "key"?: string;
        /**
         * Exists accepts any value, Equal (the default) only the value given.
         */
        "operator"?: "Exists" | "Equal";
        /**
         * Value of the taint, for operator Equal.
         */
        "value"?: string;
        /**
         * Effect of the taint. Absent means every effect.
         */
        "effect"?: "NoSchedule" | "PreferNoSchedule" | "NoExecute";
        /**
         * Seconds for which a NoExecute taint is accepted. Absent means for ever.
         */
        "tolerationSeconds"?: number;
      }>;
      /**
       * Finer rules than nodeSelector about the nodes that may run the pod, and about the pods beside it.
       */
      "affinity"?: {
        /**
         * Rules about the labels of nodes, as in a Pod.
         */
        "nodeAffinity"?: {
          /**
           * The node must match at least one of the terms.
           */
          "requiredDuringSchedulingIgnoredDuringExecution"?: {
            /**
             * Terms, at least one of which has to match.
             */
            "nodeSelectorTerms": Array<{
              /**
               * Conditions on labels, all of which must hold.
               */
              "matchExpressions": Array<{
                /**
                 * Key of the label.
                 */
                "key": string;
                /**
                 * How the label's value is compared with values.
                 */
                "operator": "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt";
                /**
                 * Values to compare with. Exactly one integer for Gt and Lt, none for Exists and DoesNotExist.
                 */
                "values"?: Array<string>;
              }>;
            }>;
          };
          /**
           * Nodes that match are preferred, ranked by the sum of the matching weights.
           */
          "preferredDuringSchedulingIgnoredDuringExecution"?: Array<{
            /**
             * Weight of a match.
             */
            "weight": number;
            /**
             * The term to match.
             */
            "preference": {
              /**
               * Conditions on labels, all of which must hold.
               */
              "matchExpressions": Array<{
                /**
                 * Key of the label.
                 */
                "key": string;
                /**
                 * How the label's value is compared with values.
                 */
                "operator": "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt";
                /**
                 * Values to compare with. Exactly one integer for Gt and Lt, none for Exists and DoesNotExist.
                 */
                "values"?: Array<string>;
              }>;
            };
          }>;
        };
        /**
         * Pods beside which the pod is placed, as in a Pod.
         */
        "podAffinity"?: {
          /**
           * Terms that all must hold.
           */
          "requiredDuringSchedulingIgnoredDuringExecution"?: Array<{
            /**
             * Which pods of this namespace are meant.
             */
            "labelSelector": {
              /**
               * Labels that such a pod carries.
               */
              "matchLabels": {
                [key: string]: string;
              };
            };
            /**
             * Label of nodes whose values are the places, for example topology.kubernetes.io/zone.
             */
            "topologyKey": string;
          }>;
          /**
           * Terms that are preferred, ranked by the sum of the matching weights.
           */
          "preferredDuringSchedulingIgnoredDuringExecution"?: Array<{
            /**
             * Weight of a match.
             */
            "weight": number;
            /**
             * The term to match.
             */
            "podAffinityTerm": {
              /**
               * Which pods of this namespace are meant.
               */
              "labelSelector": {
                /**
                 * Labels that such a pod carries.
                 */
                "matchLabels": {
                  [key: string]: string;
                };
              };
              /**
               * Label of nodes whose values are the places, for example topology.kubernetes.io/zone.
               */
              "topologyKey": string;
            };
          }>;
        };
        /**
         * Pods beside which the pod is not placed, as in a Pod.
         */
        "podAntiAffinity"?: {
          /**
           * Terms that all must hold.
           */
          "requiredDuringSchedulingIgnoredDuringExecution"?: Array<{
            /**
             * Which pods of this namespace are meant.
             */
            "labelSelector": {
              /**
               * Labels that such a pod carries.
               */
              "matchLabels": {
                [key: string]: string;
              };
            };
            /**
             * Label of nodes whose values are the places, for example topology.kubernetes.io/zone.
             */
            "topologyKey": string;
          }>;
          /**
           * Terms that are preferred, ranked by the sum of the matching weights.
           */
          "preferredDuringSchedulingIgnoredDuringExecution"?: Array<{
            /**
             * Weight of a match.
             */
            "weight": number;
            /**
             * The term to match.
             */
            "podAffinityTerm": {
              /**
               * Which pods of this namespace are meant.
               */
              "labelSelector": {
                /**
                 * Labels that such a pod carries.
                 */
                "matchLabels": {
                  [key: string]: string;
                };
              };
              /**
               * Label of nodes whose values are the places, for example topology.kubernetes.io/zone.
               */
              "topologyKey": string;
            };
          }>;
        };
      };
      /**
       * Environment variables added to the container, for example settings of libraries. Names that the operator sets itself are refused.
       */
      "env"?: Array<{
        /**
         * Name of the variable.
         */
        "name": string;
        /**
         * The value.
         */
        "value"?: string;
        /**
         * Take the value from a Secret or a ConfigMap of this namespace.
         */
        "valueFrom"?: {
          /**
           * A key of a Secret.
           */
          "secretKeyRef"?: {
            /**
             * Name of the Secret.
             */
            "name": string;
            /**
             * Key within the Secret.
             */
            "key": string;
            /**
             * When true, the variable is left out if the Secret or the key is missing.
             */
            "optional"?: boolean;
          };
          /**
           * A key of a ConfigMap.
           */
          "configMapKeyRef"?: {
            /**
             * Name of the ConfigMap.
             */
            "name": string;
            /**
             * Key within the ConfigMap.
             */
            "key": string;
            /**
             * When true, the variable is left out if the ConfigMap or the key is missing.
             */
            "optional"?: boolean;
          };
        };
      }>;
      /**
       * ServiceAccount of the pod. It needs no rights; the pod gets only a token to report with. Absent means the namespace's default one.
       */
      "serviceAccountName"?: string;
      /**
       * PriorityClass of the pod.
       */
      "priorityClassName"?: string;
      /**
       * RuntimeClass of the pod, for example nvidia where the node's default runtime can't reach GPUs.
       */
      "runtimeClassName"?: string;
      /**
       * Labels added to the pod. Keys that the system sets are refused.
       */
      "podLabels"?: {
        [key: string]: string;
      };
      /**
       * Annotations added to the pod. Keys under sparsedm.io/ are refused.
       */
      "podAnnotations"?: {
        [key: string]: string;
      };
    };
    /**
     * Queue of this namespace (a LocalQueue of Kueue) that decides when the run starts, and may stop it for others; it then resumes from its last checkpoint. The operator creates the Job suspended, and the queue lifts that. Needs Kueue 0.15 or later. Absent means that the run starts at once.
     */
    "queueName"?: string;
    /**
     * True stops the run after it has saved a checkpoint and frees its pod; false resumes from there.
     */
    "suspend"?: boolean;
    /**
     * Number of retries after a pod fails. Evictions and preemptions don't count.
     */
    "backoffLimit"?: number;
    /**
     * Seconds after which a Job that is still active fails. Suspended time doesn't count; the count starts again after a suspension. Absent means no limit.
     */
    "activeDeadlineSeconds"?: number;
    /**
     * Seconds after which a run fails whose first pod has not started: no node takes it, its image is not found, or a quota is used up. Time in a queue and suspended time don't count. Absent means no limit.
     */
    "startDeadlineSeconds"?: number;
    /**
     * Seconds after which a finished SparseFinetune is deleted together with its Job. What it wrote to output.uri stays. Absent means never.
     */
    "ttlSecondsAfterFinished"?: number;
    /**
     * In place of ttlSecondsAfterFinished for a run that succeeded.
     */
    "ttlSecondsAfterSucceeded"?: number;
    /**
     * In place of ttlSecondsAfterFinished for a run that failed.
     */
    "ttlSecondsAfterFailed"?: number;
  };
  /**
   * What the operator and the trainer have observed. Written by the operator only.
   */
  "status"?: {
    /**
     * The metadata.generation that the status describes; -1 until the operator has seen the object.
     */
    "observedGeneration"?: number;
    /**
     * Human-readable summary of the conditions.
     */
    "phase"?: "Pending" | "Running" | "Suspended" | "Succeeded" | "Failed";
    /**
     * When the first Job started.
     */
    "startTime"?: string;
    /**
     * When the run ended, successfully or not.
     */
    "completionTime"?: string;
    /**
     * JobReady (the Job exists and its pod can run), Training, Reporting (reports arrive), QualityGatePassed, Suspended, Succeeded, Finished (True at every end, for kubectl wait) and Stalled (True when the run can't go on). MeasuresFID (with a bound of acceptance that is named after the FID) and UsesGPU (False while a run on CPUs leaves the cluster's GPUs unused) warn, and end nothing.
     */
    "conditions"?: Array<{
      /**
       * What the condition is about.
       */
      "type": string;
      /**
       * True, False, or Unknown when it isn't known yet.
       */
      "status": "True" | "False" | "Unknown";
      /**
       * The metadata.generation that the condition describes.
       */
      "observedGeneration"?: number;
      /**
       * When the status last changed.
       */
      "lastTransitionTime": string;
      /**
       * Machine-readable reason, in one word.
       */
      "reason": string;
      /**
       * Human-readable explanation that says what can be done.
       */
      "message": string;
    }>;
    /**
     * UID of the current Job.
     */
    "jobUid"?: string;
    /**
     * Pods started for this run, across all its Jobs.
     */
    "attempts"?: {
      /**
       * Number of pods that were started.
       */
      "number"?: number;
      /**
       * How the last failed pod ended.
       */
      "lastExitReason"?: string;
      /**
       * UID of the newest pod that was counted.
       */
      "podUid"?: string;
      /**
       * When that pod was created.
       */
      "podCreatedAt"?: string;
      /**
       * When a trainer of the run first ran; from then on spec.trainer is immutable.
       */
      "startedAt"?: string;
      /**
       * Step of the checkpoint that the current pod resumed from; absent when it started from the beginning.
       */
      "resumedFromStep"?: number;
    };
    /**
     * Progress, as the trainer last reported it.
     */
    "progress"?: {
      /**
       * Steps done.
       */
      "step"?: number;
      /**
       * Total number of steps.
       */
      "totalSteps"?: number;
      /**
       * Steps done, in per cent.
       */
      "percent"?: number;
      /**
       * The percentage as text; before the run starts, how much of its files is there, such as fetching 3.1 of 9.8 GB.
       */
      "display"?: string;
      /**
       * Stage of the schedule, from 1.
       */
      "stage"?: number;
      /**
       * Total number of stages.
       */
      "stages"?: number;
      /**
       * N:M pattern of the current stage.
       */
      "stagePattern"?: string;
      /**
       * Weights that entered or left the mask when it was last recomputed; 0 means that the mask has settled.
       */
      "maskFlips"?: number;
      /**
       * What the trainer is doing, for example fetching, training, evaluating or exporting.
       */
      "phase"?: string;
      /**
       * Training loss, averaged over the last steps.
       */
      "loss"?: string;
      /**
       * Images trained on per second.
       */
      "samplesPerSecond"?: string;
      /**
       * Images trained on, which is step times the images of a step; what a restart repeats counts once.
       */
      "imagesProcessed"?: number;
      /**
       * Estimated seconds to the end.
       */
      "remainingSeconds"?: number;
      /**
       * The estimate as text.
       */
      "eta"?: string;
      /**
       * When the trainer reported this.
       */
      "reportedAt"?: string;
      /**
       * Evaluations during training, oldest first.
       */
      "history"?: Array<{
        /**
         * Step of the evaluation.
         */
        "step": number;
        /**
         * Frechet distance of the sparse model at this step.
         */
        "distance"?: string;
        /**
         * Fraction of zeros in the masked layers at this step.
         */
        "sparsity"?: string;
      }>;
    };
    /**
     * The evaluation with the smallest distance among those during training, under the target pattern. Its samples have other seeds than those of status.fid. evaluation.select says whether its weights are exported.
     */
    "best"?: {
      /**
       * Step of the evaluation.
       */
      "step"?: number;
      /**
       * Frechet distance at this step.
       */
      "distance"?: string;
    };
    /**
     * Present when a stage of the schedule has regressed, and the model is that of an earlier one.
     */
    "rollback"?: {
      /**
       * The last good stage, whose model is the result.
       */
      "stage"?: number;
      /**
       * Its N:M pattern, which the model has.
       */
      "pattern"?: string;
      /**
       * Step at which it ended.
       */
      "step"?: number;
      /**
       * Step at which the stage that regressed ended, and the training with it.
       */
      "regressedStep"?: number;
      /**
       * Both distances and the bound, in a sentence.
       */
      "message"?: string;
    };
    /**
     * What the trainers of the run have used, over all its attempts and pods.
     */
    "trainer"?: {
      /**
       * Image of the newest trainer, which made the model, as the container runtime names it: with the digest in its registry, where it came from one.
       */
      "image"?: string;
      /**
       * What the newest trainer computes on, for example NVIDIA H200 or CPU (AMD EPYC 9554).
       */
      "device"?: string;
      /**
       * GPUs that train together, in all pods; 0 on CPUs.
       */
      "gpus"?: number;
      /**
       * Seconds since each trainer began to load its model, times its GPUs, summed over all attempts. 0 on CPUs.
       */
      "gpuSeconds"?: number;
      /**
       * The part of gpuSeconds that earlier trainers have used.
       */
      "earlierGpuSeconds"?: number;
      /**
       * When the newest trainer began to load, by its own clock, which tells it from earlier ones.
       */
      "startedAt"?: string;
    };
    /**
     * What the trainer has fetched from outside the cluster. Later attempts of the run read the same content, or fail.
     */
    "sources"?: Array<{
      /**
       * As in the spec.
       */
      "uri": string;
      /**
       * SHA-256 digest of the file, or of what sha256sum prints for all files of the folder, sorted by path.
       */
      "sha256"?: string;
      /**
       * What the source itself calls this content, such as the commit of a hub.
       */
      "revision"?: string;
      /**
       * Size of all files in bytes, after an archive was unpacked.
       */
      "sizeBytes"?: number;
    }>;
    /**
     * The newest checkpoint.
     */
    "checkpoint"?: {
      /**
       * Its folder.
       */
      "uri"?: string;
      /**
       * Step after which it was saved.
       */
      "step"?: number;
      /**
       * Digest of all masks at this step.
       */
      "maskDigest"?: string;
    };
    /**
     * Sparsity reached.
     */
    "sparsity"?: {
      /**
       * N:M pattern of the masks.
       */
      "pattern"?: string;
      /**
       * Fraction of zeros that the pattern asks for.
       */
      "target"?: string;
      /**
       * Fraction of zeros counted in the masked layers.
       */
      "achieved"?: string;
      /**
       * Weights in the masked layers.
       */
      "maskedParameters"?: number;
      /**
       * Weights in the model.
       */
      "totalParameters"?: number;
      /**
       * Number of masked layers.
       */
      "maskedLayers"?: number;
      /**
       * Number of layers that were selected but stay dense, because their input isn't a multiple of M.
       */
      "skippedLayers"?: number;
      /**
       * Whether every group of M weights has at most N that aren't zero.
       */
      "compliant"?: boolean;
    };
    /**
     * Multiply-accumulates for one image and one sampler step.
     */
    "macs"?: {
      /**
       * What dense and sparse count; linear is every linear and convolution layer, without the products inside attention.
       */
      "convention"?: string;
      /**
       * Of the dense model.
       */
      "dense"?: number;
      /**
       * Of the sparse model, zeros not counted.
       */
      "sparse"?: number;
      /**
       * Of the dense model, with the products inside attention.
       */
      "totalDense"?: number;
      /**
       * Of the sparse model, with the products inside attention.
       */
      "totalSparse"?: number;
      /**
       * Reduction from dense to sparse, in per cent.
       */
      "reductionPercent"?: string;
    };
    /**
     * Time that the trainer's device took for one image of the sparse model, measured at the end with dense products, zeros included. What sparse products of a GPU gain is in the status of a SparseInferenceService.
     */
    "latency"?: {
      /**
       * Median of three images, each until it is decoded.
       */
      "millisecondsPerImage"?: string;
      /**
       * Images that were drawn together.
       */
      "batchSize"?: number;
      /**
       * The device, as in status.trainer.
       */
      "device"?: string;
      /**
       * That of spec.evaluation.
       */
      "precision"?: string;
      /**
       * That of spec.evaluation.
       */
      "sampler"?: string;
      /**
       * Steps of the sampler for an image.
       */
      "steps"?: number;
    };
    /**
     * Of a pipeline: images of the sparse one beside those of the dense one, of the same prompts and seeds.
     */
    "images"?: {
      /**
       * Images of each that are compared one by one.
       */
      "compared"?: number;
      /**
       * Peak signal-to-noise ratio of a sparse image to the dense one in dB, the mean.
       */
      "psnr"?: string;
      /**
       * Structural similarity of a sparse image to the dense one, the mean. Absent of images below 11 pixels.
       */
      "ssim"?: string;
      /**
       * CLIP score, 100 max(cos, 0) of an image and its prompt, the mean, by the model of evaluation.clipUri.
       */
      "clip"?: {
        /**
         * Of the dense pipeline's images.
         */
        "dense"?: string;
        /**
         * Of the sparse pipeline's images.
         */
        "sparse"?: string;
      };
    };
    /**
     * The Frechet distance of both models to the reference. It is the FID only when metric is FID.
     */
    "fid"?: {
      /**
       * Name of the distance; fd-NAME is a distance over the extractor NAME and can't be compared with FIDs, nor with fd-NAME-decoded (to decodings of latents) or fd-NAME-dense-samples (to samples of the dense model).
       */
      "metric"?: string;
      /**
       * Samples drawn by each model.
       */
      "samples"?: number;
      /**
       * Distance of the dense model. Absent, with increase, where the run began from random weights.
       */
      "dense"?: string;
      /**
       * Distance of the trained model.
       */
      "sparse"?: string;
      /**
       * Distance of the sparse model minus that of the dense one.
       */
      "increase"?: string;
      /**
       * What the samples are compared with: training-data, evaluation-data (evaluation.dataset), statistics (evaluation.referenceStatsUri), decoded-training-data or decoded-evaluation-data (what the autoencoder makes of latents), or dense-samples (what the dense model draws).
       */
      "reference"?: string;
      /**
       * Whose captions a model with text drew after, training-data or evaluation-data.
       */
      "captions"?: string;
      /**
       * Digest of the reference statistics.
       */
      "referenceDigest"?: string;
      /**
       * Digest of the extractor's weights.
       */
      "extractorDigest"?: string;
      /**
       * Seed of the samples, the same for both models.
       */
      "seed"?: number;
      /**
       * Sampler that drew the samples.
       */
      "sampler"?: string;
      /**
       * Sampler steps.
       */
      "steps"?: number;
      /**
       * Strength of classifier-free guidance.
       */
      "guidance"?: string;
      /**
       * Arithmetic of both networks in these figures.
       */
      "precision"?: string;
      /**
       * The sparse model in the precisions of evaluation.servedPrecisions.
       */
      "served"?: Array<{
        /**
         * Arithmetic of the network.
         */
        "precision": string;
        /**
         * Distance of the sparse model in this precision.
         */
        "sparse"?: string;
        /**
         * This distance minus that of the dense model in fid.precision.
         */
        "increase"?: string;
        /**
         * Why there is no distance.
         */
        "problem"?: string;
      }>;
      /**
       * Which weights of the training the sparse model has, their moving average and of which step.
       */
      "weights"?: string;
      /**
       * True when there are no more samples, or images of the reference, than the extractor has features, so that a covariance is singular.
       */
      "rankDeficient"?: boolean;
    };
    /**
     * The sparse model.
     */
    "model"?: {
      /**
       * Folder with the model, which a SparseInferenceService serves.
       */
      "uri"?: string;
      /**
       * SHA-256 digest of the weights.
       */
      "sha256"?: string;
      /**
       * Size of the weights in bytes.
       */
      "sizeBytes"?: number;
      /**
       * The manifest, with layers, digest of the masks, figures and provenance.
       */
      "manifestUri"?: string;
      /**
       * Image of dense samples above sparse ones from the same seeds.
       */
      "sampleGridUri"?: string;
    };
  };
}

/**
 * SparseFinetune fine-tunes a pre-trained dense diffusion model until its weight matrices are N:M sparse (2:4 by default), measures the sparse model against the dense one, and writes it to a volume claim. It runs once, as a Job.
 */
export class SparseFinetune extends Model<ISparseFinetune> implements ISparseFinetune {
  "apiVersion": ISparseFinetune["apiVersion"];
  "kind": ISparseFinetune["kind"];
  "metadata"?: NonNullable<ISparseFinetune["metadata"]>;
  "spec": ISparseFinetune["spec"];
  "status"?: NonNullable<ISparseFinetune["status"]>;

static apiVersion: ISparseFinetune["apiVersion"] = "sparsedm.io/v1alpha1";
static kind: ISparseFinetune["kind"] = "SparseFinetune";
static is = createTypeMetaGuard<ISparseFinetune>(SparseFinetune);

constructor(data?: ModelData<ISparseFinetune>) {
  super();

  this.setDefinedProps({
    apiVersion: SparseFinetune.apiVersion,
    kind: SparseFinetune.kind,
    ...data
  } as ISparseFinetune);
}
}


setValidateFunc(SparseFinetune, validate as ValidateFunc<ISparseFinetune>);
