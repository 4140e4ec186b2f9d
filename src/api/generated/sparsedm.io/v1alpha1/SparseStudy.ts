import { type IObjectMeta } from "@kubernetes-models/apimachinery/apis/meta/v1/ObjectMeta";
import { Model, type ModelData, setValidateFunc, createTypeMetaGuard } from "@kubernetes-models/base";
import { type ValidateFunc } from "@kubernetes-models/validate";
import { validate } from "../../_schemas/SparsedmIoV1alpha1SparseStudy";

/**
 * SparseStudy runs one SparseFinetune in every combination of patterns, methods, layers and seeds, a few at a time, and puts what they measured side by side: as rows of its status, and as a table, a CSV and a plot of distance against multiply-accumulates in the ConfigMap NAME-results.
 */
export interface ISparseStudy {
  /**
   * Version of this API, sparsedm.io/v1alpha1.
   */
  "apiVersion": "sparsedm.io/v1alpha1";
  /**
   * SparseStudy.
   */
  "kind": "SparseStudy";
  "metadata"?: IObjectMeta;
  /**
   * What to compare. Everything but parallelism, maxFailedRuns and suspend is immutable, because the rows of a table have to be of one study.
   */
  "spec": {
    /**
     * The SparseFinetune of this namespace that every run copies but for what the grid changes. It need not have run: with suspend: true it only serves as the pattern. Its suspend is not copied.
     */
    "finetuneRef": {
      /**
       * Name of the SparseFinetune.
       */
      "name": string;
    };
    /**
     * What is combined with what. An axis that is absent stays as the SparseFinetune has it. Combinations that are the same run, such as dense at two patterns, are run once.
     */
    "grid": {
      /**
       * Values of sparsity.pattern.
       */
      "patterns"?: Array<string>;
      /**
       * Values of sparsity.method. A run of another method than the SparseFinetune's leaves out the settings that its method does not take, such as regularization or a schedule for asp.
       */
      "methods"?: Array<"sparsedm" | "sr-ste" | "sr-ste-decoupled" | "ste" | "s-ste" | "cast" | "asp" | "dense" | "masked-dense">;
      /**
       * Values of sparsity.layers, each under a name that the tables show.
       */
      "layers"?: Array<{
        /**
         * Name in the tables, for example mlp-only.
         */
        "name": string;
        /**
         * Globs of the modules to mask, as in sparsity.layers.include of a SparseFinetune.
         */
        "include"?: Array<string>;
        /**
         * Globs of modules that stay dense although include names them.
         */
        "exclude"?: Array<string>;
      }>;
      /**
       * Values of training.seed. Tables show the mean and the standard deviation over them.
       */
      "seeds"?: Array<number>;
    };
    /**
     * Where the runs write their results.
     */
    "output": {
      /**
       * Folder in a volume claim of this namespace, as pvc://CLAIM/PATH. Each run writes to a folder in it that has the name of its SparseFinetune.
       */
      "uri": string;
    };
    /**
     * How many runs are under way at one time, at most. With a queue (queueName of the SparseFinetune) a large number lets the queue decide.
     */
    "parallelism"?: number;
    /**
     * How many runs may fail. One more, and no further run is started; what runs goes on to its end.
     */
    "maxFailedRuns"?: number;
    /**
     * True stops the runs under way after they have saved a checkpoint, and starts no others; false resumes them.
     */
    "suspend"?: boolean;
  };
  /**
   * What the operator has observed. Written by the operator only.
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
     * When the first run was created.
     */
    "startTime"?: string;
    /**
     * When the last run ended.
     */
    "completionTime"?: string;
    /**
     * Suspended, Succeeded, Finished (True at every end, for kubectl wait) and Stalled (True when the study can't go on).
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
     * UID of the SparseFinetune that is copied, which tells it from a later one of the same name.
     */
    "finetuneUid"?: string;
    /**
     * How many runs are where.
     */
    "counts"?: {
      /**
       * All runs.
       */
      "total"?: number;
      /**
       * Runs not yet created.
       */
      "waiting"?: number;
      /**
       * Runs under way.
       */
      "active"?: number;
      /**
       * Runs that have made a model.
       */
      "succeeded"?: number;
      /**
       * Runs that have failed, or were refused.
       */
      "failed"?: number;
      /**
       * Runs that have ended, of all, for example 3/8.
       */
      "display"?: string;
    };
    /**
     * The run with the least distance; absent until one has been measured.
     */
    "best"?: {
      /**
       * Name of its SparseFinetune.
       */
      "name"?: string;
      /**
       * Its Frechet distance.
       */
      "distance"?: string;
    };
    /**
     * Name of the ConfigMap with table.md, runs.csv and pareto.svg; absent until a run has been measured.
     */
    "results"?: string;
    /**
     * Each run of the grid, in the order in which they start. Rows stay when a SparseFinetune is removed after its end.
     */
    "runs"?: Array<{
      /**
       * Name of its SparseFinetune.
       */
      "name": string;
      /**
       * Its sparsity.pattern.
       */
      "pattern": string;
      /**
       * Its sparsity.method.
       */
      "method": string;
      /**
       * Name of its value of grid.layers; default where the grid has none.
       */
      "layers": string;
      /**
       * Its training.seed.
       */
      "seed": number;
      /**
       * Waiting until its SparseFinetune is created, then the phase of that.
       */
      "phase": "Waiting" | "Pending" | "Running" | "Suspended" | "Succeeded" | "Failed";
      /**
       * Why the run failed.
       */
      "message"?: string;
      /**
       * Name of the distance; only fid is the FID.
       */
      "metric"?: string;
      /**
       * Frechet distance of the dense model.
       */
      "denseDistance"?: string;
      /**
       * Frechet distance of the sparse model.
       */
      "distance"?: string;
      /**
       * Multiply-accumulates of the dense model, per image and step, with attention.
       */
      "denseMacs"?: number;
      /**
       * Those of the sparse model.
       */
      "macs"?: number;
      /**
       * Time for one image of the sparse model, as in status.latency of the run.
       */
      "latencyMilliseconds"?: string;
      /**
       * The device on which that was measured.
       */
      "device"?: string;
      /**
       * Folder with the model, which a SparseInferenceService serves.
       */
      "modelUri"?: string;
    }>;
  };
}

/**
 * SparseStudy runs one SparseFinetune in every combination of patterns, methods, layers and seeds, a few at a time, and puts what they measured side by side: as rows of its status, and as a table, a CSV and a plot of distance against multiply-accumulates in the ConfigMap NAME-results.
 */
export class SparseStudy extends Model<ISparseStudy> implements ISparseStudy {
  "apiVersion": ISparseStudy["apiVersion"];
  "kind": ISparseStudy["kind"];
  "metadata"?: NonNullable<ISparseStudy["metadata"]>;
  "spec": ISparseStudy["spec"];
  "status"?: NonNullable<ISparseStudy["status"]>;

static apiVersion: ISparseStudy["apiVersion"] = "sparsedm.io/v1alpha1";
static kind: ISparseStudy["kind"] = "SparseStudy";
static is = createTypeMetaGuard<ISparseStudy>(SparseStudy);

constructor(data?: ModelData<ISparseStudy>) {
  super();

  this.setDefinedProps({
    apiVersion: SparseStudy.apiVersion,
    kind: SparseStudy.kind,
    ...data
  } as ISparseStudy);
}
}


setValidateFunc(SparseStudy, validate as ValidateFunc<ISparseStudy>);
