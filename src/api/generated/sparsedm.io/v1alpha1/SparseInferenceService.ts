import { type IObjectMeta } from "@kubernetes-models/apimachinery/apis/meta/v1/ObjectMeta";
import { Model, type ModelData, setValidateFunc, createTypeMetaGuard } from "@kubernetes-models/base";
import { type ValidateFunc } from "@kubernetes-models/validate";
import { validate } from "../../_schemas/SparsedmIoV1alpha1SparseInferenceService";

/**
 * SparseInferenceService serves a sparse diffusion model over HTTP, with an OpenAI-compatible endpoint for images. It runs as a Deployment behind a Service of its own name.
 */
export interface ISparseInferenceService {
  /**
   * Version of this API, sparsedm.io/v1alpha1.
   */
  "apiVersion": "sparsedm.io/v1alpha1";
  /**
   * SparseInferenceService.
   */
  "kind": "SparseInferenceService";
  "metadata"?: IObjectMeta;
  /**
   * What to serve and how.
   */
  "spec": {
    /**
     * The model to serve.
     */
    "model": {
      /**
       * The SparseFinetune of this namespace that makes the model. The service waits until it has succeeded and its quality gate has passed.
       */
      "finetuneRef"?: {
        /**
         * Name of the SparseFinetune.
         */
        "name": string;
      };
      /**
       * Folder with model and manifest: pvc://CLAIM/PATH in a volume claim of this namespace, which is mounted read-only, s3://BUCKET/PATH, gs://BUCKET/PATH, hf://OWNER/REPO[@REVISION][/PATH], oci://REGISTRY/REPOSITORY:TAG[@DIGEST], or an archive at https://HOST/PATH. What lies outside the cluster is fetched by each server before it loads it (spec.sources).
       */
      "uri"?: string;
      /**
       * SHA-256 digest of the model's weights (model.safetensors), 64 hexadecimal digits. When given, a server whose model has another one does not start, and what served goes on.
       */
      "sha256"?: string;
      /**
       * Whether to switch to the new model when a SparseFinetune of the same name is created again and succeeds. By default the service keeps its present model.
       */
      "follow"?: boolean;
    };
    /**
     * How images are sampled.
     */
    "engine"?: {
      /**
       * What computes the masked layers. auto measures each layer when it starts and chooses the fastest; dense always works; cusparselt and cutlass, which need an NVIDIA GPU since Ampere and a 2:4 model, are measured against dense alone.
       */
      "backend"?: "auto" | "dense" | "cusparselt" | "cutlass";
      /**
       * Arithmetic of the network. auto is bf16 on an NVIDIA GPU since Ampere, where sparse kernels need 16 bits, and fp32 everywhere else.
       */
      "precision"?: "auto" | "fp32" | "bf16" | "fp16";
      /**
       * Sampler steps for an image, unless a request asks for another number.
       */
      "steps"?: number;
      /**
       * Most sampler steps that a request may ask for by num_inference_steps. Absent means as many as steps, so that requests can ask for fewer only.
       */
      "maxSteps"?: number;
      /**
       * Sites whose pages may call the server from a browser, for example https://shop.example.com, or "\*" for every site. Absent means none. The gateway's own errors carry no such permission.
       */
      "corsAllowedOrigins"?: Array<string>;
      /**
       * Strength of classifier-free guidance, for models with classes or texts, unless a request asks for another by guidance_scale; 0 turns it off. A decimal string. With a model that does not predict without a class as well, a server takes only 0 and the default. With a pipeline of diffusers the default stands for the guidance that it was measured with, else for its own.
       */
      "guidance"?: string;
      /**
       * Largest number of images sampled together. A batch of fewer takes less time.
       */
      "maxBatchSize"?: number;
      /**
       * How long the first image of an idle replica waits for others to begin with it, in milliseconds. While images are drawn, others join them at the next step without a wait.
       */
      "maxBatchDelayMilliseconds"?: number;
      /**
       * Whether an image's bytes depend on its class and seed alone, and not on the images that are sampled with it. Every batch then has maxBatchSize rows, however few images it holds, so a lone image takes as long as a full batch. Absent means false.
       */
      "deterministic"?: boolean;
      /**
       * Images that may wait in a replica. A request beyond this gets status 429 with Retry-After.
       */
      "maxQueue"?: number;
    };
    /**
     * Bounds on top of the SparseFinetune's own gate. A model that exceeds them gets no traffic. They are held against the distance in the precision that engine.precision asks for, where the SparseFinetune measured it (evaluation.servedPrecisions); auto counts as bf16 where server.resources ask for an NVIDIA GPU, unless server.nodeSelector names one before Ampere (nvidia.com/gpu.compute.major below 8, or nvidia.com/gpu.family turing, volta, pascal or maxwell), and as fp32 otherwise. A model given by its URI is judged by its server, by the figures in its manifest and in the precision that it computes in, before it is ready.
     */
    "qualityGate"?: {
      /**
       * Least speed-up of sparse products over dense ones, as the server measures it for whole batches when it starts. Where sparse products can't run, as on a CPU, it is 1. A decimal string above 1.
       */
      "minSpeedup"?: string;
      /**
       * What a server below minSpeedup does. Fallback, which is meant where it is absent, serves the same masked weights by dense products and says so. Refuse ends the server with the measured speed-up, and what served goes on.
       */
      "onSlow"?: "Fallback" | "Refuse";
      /**
       * Largest increase of the distance over the dense model's, in the distance's own unit. A decimal string.
       */
      "maxFidIncrease"?: string;
      /**
       * Largest increase of the distance over the dense model's, in per cent of it.
       */
      "maxFidIncreasePercent"?: number;
    };
    /**
     * Lets servers measure the Frechet distance of a random sample of the images that they serve, with the extractor and the reference of the model's own figure; status.quality shows both. Absent, nothing is sampled. Of an image only its features and its class are kept, in the memory of its server; a report holds the distance and the number of images, and no prompt, seed or image is kept or sent. Images of requests that give a seed are left out. {} is the default of each field.
     */
    "qualityMonitor"?: {
      /**
       * Part of the served images that are sampled, in per cent. What a server has no time for is left out.
       */
      "samplePercent"?: number;
      /**
       * Largest increase of the served distance over the model's own, in per cent of it. Above it, the condition QualityMaintained is False and an Event says so; nothing else changes. Absent means that there is no such condition.
       */
      "maxDistanceIncreasePercent"?: number;
    };
    /**
     * Number of serving pods. kubectl scale and autoscalers set it through the scale subresource. While the builtin autoscaler is in force, 0 stops the service and every other number is without effect. With engine keda and hpa, these write it; where KEDA may write 0, that stops nothing.
     */
    "replicas"?: number;
    /**
     * What sets the number of pods, by default the operator's own autoscaler, by the load that the pods report, which ignores spec.replicas unless that is 0. The condition ScalingActive tells what it does and why.
     */
    "scaling"?: {
      /**
       * What sets the number of pods. builtin is the operator's autoscaler. With keda, KEDA sets it by the same load, by a ScaledObject that the operator writes. With hpa, a HorizontalPodAutoscaler of the operator sets it by scaling.metrics. With none, spec.replicas is yours, or that of an autoscaler of yours, and the other fields of scaling rest. keda and hpa write spec.replicas; panicPercent is of builtin alone, and minReplicas 0 of builtin and keda.
       */
      "engine"?: "builtin" | "keda" | "hpa" | "none";
      /**
       * The fewest pods. With 0 the service sleeps without a pod after idleSeconds without a request; the gateway then holds the next request and wakes it. Without a gateway, 0 means 1.
       */
      "minReplicas"?: number;
      /**
       * With minReplicas: 0, the time without a request after which the service goes to sleep. Absent means 300.
       */
      "idleSeconds"?: number;
      /**
       * The most pods.
       */
      "maxReplicas"?: number;
      /**
       * The load that each pod should have. Absent means denoisingSeconds "2".
       */
      "target"?: {
        /**
         * Requests in a pod, waiting or being drawn.
         */
        "concurrency"?: number;
        /**
         * Images that wait in a pod. There are always enough pods to draw what arrives, at 70 % of their capacity.
         */
        "queuedImages"?: number;
        /**
         * Seconds that the images waiting in a pod take to be drawn, by its measured speed. Right also where requests differ in size. There are always enough pods to draw what arrives, at 70 % of their capacity. A decimal string.
         */
        "denoisingSeconds"?: string;
      };
      /**
       * Time for which fewer pods must have been enough before there are fewer, as in a HorizontalPodAutoscaler.
       */
      "scaleDownStabilizationSeconds"?: number;
      /**
       * Part of the serving pods that the load of the last 6 seconds must need for a burst, in per cent, as Knative's panic threshold. A burst is answered at once; otherwise the load of the last minute counts.
       */
      "panicPercent"?: number;
      /**
       * With hpa, what the HorizontalPodAutoscaler goes by, as in autoscaling/v2: the largest number of pods that one of them asks for. Pods, Object and External need an adapter that serves the metrics API.
       */
      "metrics"?: Array<{
        /**
         * Which of the other fields holds the metric.
         */
        "type": "Resource" | "Pods" | "Object" | "External";
        /**
         * CPU or memory of the pods, of what they request.
         */
        "resource"?: {
          /**
           * The resource.
           */
          "name": "cpu" | "memory";
          /**
           * The figure to keep.
           */
          "target": {
            /**
             * Which of the other fields holds it.
             */
            "type": "Utilization" | "AverageValue";
            /**
             * Part of what the pods request, as the mean over the pods, in per cent.
             */
            "averageUtilization"?: number;
            /**
             * The figure divided by the number of pods, a quantity such as 10 or 500m.
             */
            "averageValue"?: number | string;
          };
        };
        /**
         * A metric of each pod, as the mean over the pods.
         */
        "pods"?: {
          /**
           * Its name, and a selector of its series.
           */
          "metric": {
            /**
             * Name, as the metrics API of the cluster has it.
             */
            "name": string;
            /**
             * Which series of that name count, by their labels.
             */
            "selector"?: {
              /**
               * Labels with their values.
               */
              "matchLabels"?: {
                [key: string]: string;
              };
              /**
               * Conditions on labels.
               */
              "matchExpressions"?: Array<{
                /**
                 * The label.
                 */
                "key": string;
                /**
                 * The condition.
                 */
                "operator": "In" | "NotIn" | "Exists" | "DoesNotExist";
                /**
                 * Values for In and NotIn.
                 */
                "values"?: Array<string>;
              }>;
            };
          };
          /**
           * The figure to keep.
           */
          "target": {
            /**
             * Which of the other fields holds it.
             */
            "type": "AverageValue";
            /**
             * The figure divided by the number of pods, a quantity such as 10 or 500m.
             */
            "averageValue"?: number | string;
          };
        };
        /**
         * A metric of one object of the namespace, such as an Ingress.
         */
        "object"?: {
          /**
           * The object.
           */
          "describedObject": {
            /**
             * Its API version.
             */
            "apiVersion"?: string;
            /**
             * Its kind.
             */
            "kind": string;
            /**
             * Its name.
             */
            "name": string;
          };
          /**
           * Its name, and a selector of its series.
           */
          "metric": {
            /**
             * Name, as the metrics API of the cluster has it.
             */
            "name": string;
            /**
             * Which series of that name count, by their labels.
             */
            "selector"?: {
              /**
               * Labels with their values.
               */
              "matchLabels"?: {
                [key: string]: string;
              };
              /**
               * Conditions on labels.
               */
              "matchExpressions"?: Array<{
                /**
                 * The label.
                 */
                "key": string;
                /**
                 * The condition.
                 */
                "operator": "In" | "NotIn" | "Exists" | "DoesNotExist";
                /**
                 * Values for In and NotIn.
                 */
                "values"?: Array<string>;
              }>;
            };
          };
          /**
           * The figure to keep.
           */
          "target": {
            /**
             * Which of the other fields holds it.
             */
            "type": "Value" | "AverageValue";
            /**
             * The figure itself, a quantity such as 10 or 500m.
             */
            "value"?: number | string;
            /**
             * The figure divided by the number of pods, a quantity such as 10 or 500m.
             */
            "averageValue"?: number | string;
          };
        };
        /**
         * A metric of something outside of the cluster, such as a queue.
         */
        "external"?: {
          /**
           * Its name, and a selector of its series.
           */
          "metric": {
            /**
             * Name, as the metrics API of the cluster has it.
             */
            "name": string;
            /**
             * Which series of that name count, by their labels.
             */
            "selector"?: {
              /**
               * Labels with their values.
               */
              "matchLabels"?: {
                [key: string]: string;
              };
              /**
               * Conditions on labels.
               */
              "matchExpressions"?: Array<{
                /**
                 * The label.
                 */
                "key": string;
                /**
                 * The condition.
                 */
                "operator": "In" | "NotIn" | "Exists" | "DoesNotExist";
                /**
                 * Values for In and NotIn.
                 */
                "values"?: Array<string>;
              }>;
            };
          };
          /**
           * The figure to keep.
           */
          "target": {
            /**
             * Which of the other fields holds it.
             */
            "type": "Value" | "AverageValue";
            /**
             * The figure itself, a quantity such as 10 or 500m.
             */
            "value"?: number | string;
            /**
             * The figure divided by the number of pods, a quantity such as 10 or 500m.
             */
            "averageValue"?: number | string;
          };
        };
      }>;
    };
    /**
     * Whether requests pass through the gateway. Auto: only while the service sleeps or wakes, and while a canary divides them; otherwise they go straight to the pods. Always: all of them, so that the gateway chooses the least busy pod, at the cost of one more hop.
     */
    "gateway"?: "Auto" | "Always";
    /**
     * How a new version (another model, engine or server) takes the place of the one that serves.
     */
    "rollout"?: {
      /**
       * RollingUpdate adds a pod of the new version before it ends one of the old; where there is no room for another pod, it finds that out and replaces pods one by one. Recreate ends all pods first, for servers that may not run beside each other: nothing serves in between. Canary first lets the new version have a part of the requests, judges it by them, and goes back by itself when it does worse.
       */
      "strategy"?: "RollingUpdate" | "Recreate" | "Canary";
      /**
       * The steps of a canary and what it is judged by. Absent means the defaults of each field.
       */
      "canary"?: {
        /**
         * Parts of the requests that the new version gets, one after another. After the last one it takes the place of the old version. Absent means 10, 25 and 50 %, for 60 seconds each.
         */
        "steps"?: Array<{
          /**
           * Part of the requests, in per cent. The canary gets as large a part of the pods, at least 1.
           */
          "weight": number;
          /**
           * Shortest time for the step, in seconds.
           */
          "holdSeconds"?: number;
        }>;
        /**
         * What the canary is judged by in each step. It is rolled back as soon as a bound is certain to be exceeded.
         */
        "analysis"?: {
          /**
           * Largest part of its requests that the canary may fail, in per cent. While the version that serves fails as many, the canary waits.
           */
          "maxErrorRatePercent"?: number;
          /**
           * Largest increase of the mean time until the answer over that of the version that serves, in per cent. Absent means that it is not judged, since a new version may ask for more steps.
           */
          "maxLatencyIncreasePercent"?: number;
          /**
           * Largest increase of the Frechet distance of the canary's served images, in per cent: over its model's own figure, and over what the version that serves was measured at, where that has the same reference and number of images. While the canary's distance is not known, the canary waits. Needs spec.qualityMonitor. Absent means that it is not judged.
           */
          "maxDistanceIncreasePercent"?: number;
          /**
           * Requests that must have reached the canary in a step before it is judged; without them it waits. With 0 a step also passes by time alone.
           */
          "minRequests"?: number;
        };
      };
      /**
       * Time for pods of a new version to become ready, in seconds. A canary is rolled back after it, every other rollout only says that it is late. Absent means 900 and the grace period.
       */
      "progressDeadlineSeconds"?: number;
      /**
       * Versions that served before the present one and that rollout.undoTo can bring back.
       */
      "revisionHistoryLimit"?: number;
      /**
       * Number of a version in status.revisions to serve instead of what model, engine and server of this spec ask for, until this field is removed or changed. It comes without the steps of a canary.
       */
      "undoTo"?: number;
    };
    /**
     * How the service is reached from outside the cluster, by one object of its name in its namespace. Absent means only from inside. The condition Exposed tells what its controller says.
     */
    "expose"?: {
      /**
       * An HTTPRoute of the Gateway API, which leads every path to the service.
       */
      "httpRoute"?: {
        /**
         * The Gateways, or their listeners, that take the requests.
         */
        "parentRefs": Array<{
          /**
           * Name of the Gateway.
           */
          "name": string;
          /**
           * Its namespace, if it is another; the Gateway must then admit routes of this one.
           */
          "namespace"?: string;
          /**
           * Name of the listener; absent means all of them.
           */
          "sectionName"?: string;
          /**
           * Port of the listeners; absent means any.
           */
          "port"?: number;
        }>;
        /**
         * Hosts of the requests, for example images.example.com. Absent means all hosts of the Gateway's listeners.
         */
        "hostnames"?: Array<string>;
        /**
         * Times after which the Gateway gives up. Absent means what its controller does, which may be too short for large images.
         */
        "timeouts"?: {
          /**
           * Time for the whole answer, for example 600s; 0s means no limit.
           */
          "request"?: string;
          /**
           * Time for one attempt at a pod, for example 600s; 0s means no limit.
           */
          "backendRequest"?: string;
        };
      };
      /**
       * An Ingress, which leads every path of a host to the service.
       */
      "ingress"?: {
        /**
         * Name of the IngressClass. Absent means the cluster's default one.
         */
        "className"?: string;
        /**
         * Host of the requests, for example images.example.com.
         */
        "host": string;
        /**
         * Encryption for the host. Absent means HTTP alone.
         */
        "tls"?: {
          /**
           * Secret of this namespace with the certificate (kubernetes.io/tls). Absent means the controller's default certificate.
           */
          "secretName"?: string;
        };
        /**
         * Annotations for the controller, for example its time-outs. The operator writes none of its own accord.
         */
        "annotations"?: {
          [key: string]: string;
        };
      };
    };
    /**
     * Who may reach the serving pods, by a NetworkPolicy. Absent means no policy of the operator's; {} admits the pods of this namespace. The operator's namespace, where the gateway is, and the kubelet's probes are always admitted. It needs a network that enforces policies.
     */
    "networkPolicy"?: {
      /**
       * Who may send requests and read metrics, as the peers of a NetworkPolicy. Absent means the pods of this namespace; [] means nobody but the operator's namespace.
       */
      "from"?: Array<{
        /**
         * Labels of the pods; absent or empty means all of them.
         */
        "podSelector"?: {
          /**
           * Labels with their values.
           */
          "matchLabels"?: {
            [key: string]: string;
          };
          /**
           * Conditions on labels, all of which must hold.
           */
          "matchExpressions"?: Array<{
            /**
             * Name of the label.
             */
            "key": string;
            /**
             * How the value is compared.
             */
            "operator": "In" | "NotIn" | "Exists" | "DoesNotExist";
            /**
             * Values for In and NotIn.
             */
            "values"?: Array<string>;
          }>;
        };
        /**
         * Labels of their namespaces; absent means the service's own, empty means all.
         */
        "namespaceSelector"?: {
          /**
           * Labels with their values.
           */
          "matchLabels"?: {
            [key: string]: string;
          };
          /**
           * Conditions on labels, all of which must hold.
           */
          "matchExpressions"?: Array<{
            /**
             * Name of the label.
             */
            "key": string;
            /**
             * How the value is compared.
             */
            "operator": "In" | "NotIn" | "Exists" | "DoesNotExist";
            /**
             * Values for In and NotIn.
             */
            "values"?: Array<string>;
          }>;
        };
        /**
         * A range of addresses.
         */
        "ipBlock"?: {
          /**
           * The range, for example 10.0.0.0/8.
           */
          "cidr": string;
          /**
           * Ranges within it that are left out.
           */
          "except"?: Array<string>;
        };
      }>;
      /**
       * Where the pods may connect to, beside the DNS and the operator, as the peers of a NetworkPolicy. Absent means anywhere; [] means nowhere else. Volumes need none of it: the node mounts them.
       */
      "to"?: Array<{
        /**
         * Labels of the pods; absent or empty means all of them.
         */
        "podSelector"?: {
          /**
           * Labels with their values.
           */
          "matchLabels"?: {
            [key: string]: string;
          };
          /**
           * Conditions on labels, all of which must hold.
           */
          "matchExpressions"?: Array<{
            /**
             * Name of the label.
             */
            "key": string;
            /**
             * How the value is compared.
             */
            "operator": "In" | "NotIn" | "Exists" | "DoesNotExist";
            /**
             * Values for In and NotIn.
             */
            "values"?: Array<string>;
          }>;
        };
        /**
         * Labels of their namespaces; absent means the service's own, empty means all.
         */
        "namespaceSelector"?: {
          /**
           * Labels with their values.
           */
          "matchLabels"?: {
            [key: string]: string;
          };
          /**
           * Conditions on labels, all of which must hold.
           */
          "matchExpressions"?: Array<{
            /**
             * Name of the label.
             */
            "key": string;
            /**
             * How the value is compared.
             */
            "operator": "In" | "NotIn" | "Exists" | "DoesNotExist";
            /**
             * Values for In and NotIn.
             */
            "values"?: Array<string>;
          }>;
        };
        /**
         * A range of addresses.
         */
        "ipBlock"?: {
          /**
           * The range, for example 10.0.0.0/8.
           */
          "cidr": string;
          /**
           * Ranges within it that are left out.
           */
          "except"?: Array<string>;
        };
      }>;
    };
    /**
     * How many serving pods a drain of a node may evict at once; write one of its two fields. Absent means maxUnavailable 1 where there may be more than one pod, and no budget for a lone pod. Pods that are not ready never block a drain.
     */
    "podDisruptionBudget"?: {
      /**
       * The most pods that may be unavailable, as a number or in per cent. "100%" lets every drain pass.
       */
      "maxUnavailable"?: number | string;
      /**
       * The fewest pods that must stay available, as a number or in per cent. With no more pods than this, a drain waits.
       */
      "minAvailable"?: number | string;
    };
    /**
     * How each server fetches a model that lies outside the cluster: URIs of s3, gs, https, hf and oci. The operator itself fetches nothing. What is fetched, with its digest, is in status.sources.
     */
    "sources"?: {
      /**
       * Secrets with which URIs are read. For each URI the longest prefix decides; a URI without one is read without credentials, or with those that the pod has by spec.server.serviceAccountName.
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
         * Volume claim of this namespace, which servers and runs may share: a file is fetched once, and is whole or absent. Files lie in its folder sparsedm-sources, and nothing deletes them.
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
     * The serving pods.
     */
    "server"?: {
      /**
       * How the pods of one version are spread over hosts or zones, as in a Pod, which also counts them. Absent means evenly over hosts and zones where possible; [] means as the cluster's scheduler does by default.
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
       * Time for a terminating pod to finish the requests it has accepted, in seconds. A pod accepts no more than it can finish in this time. Absent means 300.
       */
      "terminationGracePeriodSeconds"?: number;
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
       * Finer rules than nodeSelector about the nodes that may run the pod.
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
  };
  /**
   * What the operator and the servers have observed. Written by the operator only.
   */
  "status"?: {
    /**
     * The metadata.generation that the status describes; -1 until the operator has seen the object.
     */
    "observedGeneration"?: number;
    /**
     * Human-readable summary of the conditions. Pending: nothing serves yet. Updating: replicas serve and the wanted version is on its way. Ready: it serves. Degraded: replicas serve, but something is wrong. Failed: nothing serves, and the service can't go on until a person acts.
     */
    "phase"?: "Pending" | "Updating" | "Ready" | "Degraded" | "Failed";
    /**
     * URL of the service inside the cluster.
     */
    "url"?: string;
    /**
     * Hosts from spec.expose that lead to the service, once its controller has accepted them.
     */
    "externalHosts"?: Array<string>;
    /**
     * IP addresses or names under which the controller of the Ingress takes requests.
     */
    "externalAddresses"?: Array<string>;
    /**
     * Pods of this service, including those of an earlier generation.
     */
    "replicas"?: number;
    /**
     * Pods that are ready to serve.
     */
    "readyReplicas"?: number;
    /**
     * Number of pods asked for.
     */
    "desiredReplicas"?: number;
    /**
     * What sets the number of pods now, as spec.scaling.engine names it.
     */
    "scalingEngine"?: "builtin" | "keda" | "hpa" | "none";
    /**
     * Label selector of the pods, for the scale subresource.
     */
    "selector"?: string;
    /**
     * Where requests to the URL go.
     */
    "traffic"?: {
      /**
       * Direct: to the ready pods. Gateway: to the gateway, which holds requests until a pod is ready and divides them between versions.
       */
      "mode"?: "Direct" | "Gateway";
      /**
       * The port on which the gateway's pods take this service's requests.
       */
      "gatewayPort"?: number;
      /**
       * How long the last wake took, from the first request to the first ready pod, in seconds.
       */
      "wakeSeconds"?: string;
      /**
       * The version that gets a part of the requests. Absent while none does.
       */
      "canary"?: {
        /**
         * Its name, which its pods carry as label sparsedm.io/revision.
         */
        "revision": string;
        /**
         * Its part of the requests, in per cent.
         */
        "weightPercent": number;
      };
    };
    /**
     * What servers measured of a random sample of the images that they serve, of each version that runs. Present with spec.qualityMonitor. A new pod begins anew.
     */
    "quality"?: Array<{
      /**
       * Name of the version, which its pods carry as label sparsedm.io/revision.
       */
      "revision": string;
      /**
       * Name of the distance, as in the model's manifest.
       */
      "metric"?: string;
      /**
       * Frechet distance of the served images to the reference, the mean over the pods that know theirs. It changes here when it has moved by 1 %.
       */
      "distance"?: string;
      /**
       * The model's own, from its manifest. Absent where servers draw otherwise than its evaluation did.
       */
      "evaluatedDistance"?: string;
      /**
       * Images that the distance is of; before there is one, those of the pod that has most.
       */
      "images"?: number;
      /**
       * Images of a pod that make a distance, as many as the model's own is of, in its mix of classes.
       */
      "window"?: number;
      /**
       * Pods that know their distance.
       */
      "pods"?: number;
      /**
       * SHA-256 digest of the extractor's file.
       */
      "extractorDigest"?: string;
      /**
       * Digest of the reference statistics.
       */
      "referenceDigest"?: string;
      /**
       * Why a figure is missing.
       */
      "message"?: string;
    }>;
    /**
     * ModelReady (the wanted model exists), QualityGatePassed, DeploymentReady (every replica asked for serves), Ready (replicas of any version serve at status.url), UpToDate (what serves is what the spec asks for), ChildrenReady (present while the spec asks for objects beside the Deployment and the Service), Exposed (present with spec.expose: what its controller says), GatewayReady (present with gateway: Always and with strategy: Canary: whether requests reach the gateway), QualityMaintained (present with spec.qualityMonitor.maxDistanceIncreasePercent), ScalingActive (whether the operator's autoscaler sets the number of pods, and its last decision with the numbers), Reconciling (present, and True, while the wanted version is on its way) and Stalled (present, and True, when it can't arrive until a person acts; what serves goes on).
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
     * What the server that started last found of spec.qualityGate. Absent where servers judge nothing.
     */
    "gate"?: {
      /**
       * Folder of the model that was judged.
       */
      "uri": string;
      /**
       * What it was held against, in JSON.
       */
      "bounds": string;
      /**
       * Whether the model may serve.
       */
      "passed": boolean;
      /**
       * In one word.
       */
      "reason": string;
      /**
       * The figures and the bounds.
       */
      "message": string;
    };
    /**
     * What the server that reported last has fetched from outside the cluster.
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
     * The model that serves, or that served last. Absent until one has served.
     */
    "model"?: {
      /**
       * Folder with model and manifest.
       */
      "uri"?: string;
      /**
       * SHA-256 digest of the weights.
       */
      "sha256"?: string;
      /**
       * Whether spec.model.sha256 gives the digest, so that servers take no other bytes.
       */
      "pinned"?: boolean;
      /**
       * N:M sparsity of the model.
       */
      "pattern"?: string;
      /**
       * The SparseFinetune that made the model, when it was named by finetuneRef.
       */
      "finetune"?: {
        /**
         * Its name.
         */
        "name"?: string;
        /**
         * Its UID, which tells it from a later one of the same name.
         */
        "uid"?: string;
      };
      /**
       * The Frechet distance, as the SparseFinetune measured it. It is the FID only when metric is fid.
       */
      "fid"?: {
        /**
         * Name of the distance.
         */
        "metric"?: string;
        /**
         * Distance of the dense model.
         */
        "dense"?: string;
        /**
         * Distance of this model.
         */
        "sparse"?: string;
        /**
         * Distance of this model minus that of the dense one.
         */
        "increase"?: string;
        /**
         * Arithmetic of both networks in these figures.
         */
        "precision"?: string;
        /**
         * This model in other precisions, as the SparseFinetune measured it for serving.
         */
        "served"?: Array<{
          /**
           * Arithmetic of the network.
           */
          "precision": string;
          /**
           * Distance of this model in this precision.
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
      };
      /**
       * Multiply-accumulates for one image and one sampler step.
       */
      "macs"?: {
        /**
         * What is counted; linear is every linear and convolution layer, without the products inside attention.
         */
        "convention"?: string;
        /**
         * Of the dense model.
         */
        "dense"?: number;
        /**
         * Of this model, zeros not counted.
         */
        "sparse"?: number;
        /**
         * Reduction from dense to sparse, in per cent.
         */
        "reductionPercent"?: string;
      };
    };
    /**
     * The model that the spec asks for, while another one or none serves; absent when it is status.model.
     */
    "wanted"?: {
      /**
       * Folder with model and manifest.
       */
      "uri"?: string;
      /**
       * SHA-256 digest of the weights.
       */
      "sha256"?: string;
      /**
       * Whether spec.model.sha256 gives the digest, so that servers take no other bytes.
       */
      "pinned"?: boolean;
      /**
       * N:M sparsity of the model.
       */
      "pattern"?: string;
      /**
       * The SparseFinetune that made the model, when it was named by finetuneRef.
       */
      "finetune"?: {
        /**
         * Its name.
         */
        "name"?: string;
        /**
         * Its UID, which tells it from a later one of the same name.
         */
        "uid"?: string;
      };
      /**
       * The Frechet distance, as the SparseFinetune measured it. It is the FID only when metric is fid.
       */
      "fid"?: {
        /**
         * Name of the distance.
         */
        "metric"?: string;
        /**
         * Distance of the dense model.
         */
        "dense"?: string;
        /**
         * Distance of this model.
         */
        "sparse"?: string;
        /**
         * Distance of this model minus that of the dense one.
         */
        "increase"?: string;
        /**
         * Arithmetic of both networks in these figures.
         */
        "precision"?: string;
        /**
         * This model in other precisions, as the SparseFinetune measured it for serving.
         */
        "served"?: Array<{
          /**
           * Arithmetic of the network.
           */
          "precision": string;
          /**
           * Distance of this model in this precision.
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
      };
      /**
       * Multiply-accumulates for one image and one sampler step.
       */
      "macs"?: {
        /**
         * What is counted; linear is every linear and convolution layer, without the products inside attention.
         */
        "convention"?: string;
        /**
         * Of the dense model.
         */
        "dense"?: number;
        /**
         * Of this model, zeros not counted.
         */
        "sparse"?: number;
        /**
         * Reduction from dense to sparse, in per cent.
         */
        "reductionPercent"?: string;
      };
    };
    /**
     * Where the last rollout stands. An operator that starts goes on from here.
     */
    "rollout"?: {
      /**
       * The strategy by which the version comes.
       */
      "strategy": "RollingUpdate" | "Recreate" | "Canary";
      /**
       * Progressing: pods of the new version start, or a canary walks its steps. Promoting: the canary passed, and its version replaces the one that serves. Finishing: it has, and the canary ends. RollingBack and RolledBack: the canary did worse, and the version before serves. Withdrawing: the spec asks for something else, and the canary ends. Complete: the version serves alone.
       */
      "phase": "Progressing" | "Promoting" | "Finishing" | "RollingBack" | "RolledBack" | "Withdrawing" | "Complete";
      /**
       * Name of the version that comes or came, or that was rolled back. The pods carry it as label sparsedm.io/revision.
       */
      "revision": string;
      /**
       * Name of the version that served before.
       */
      "from"?: string;
      /**
       * The canary's step, from 1; 0 while its first pods start.
       */
      "step"?: number;
      /**
       * The canary's part of the requests.
       */
      "weightPercent"?: number;
      /**
       * When the phase, or the step's weight, began.
       */
      "since": string;
      /**
       * What happens and what it waits for, or why the canary was rolled back, with the numbers.
       */
      "message": string;
      /**
       * What the gateways counted since the canary's step began, written when there are a quarter more requests. An operator that starts counts on from here.
       */
      "counted"?: {
        /**
         * Requests of the version that comes.
         */
        "canary": {
          /**
           * Number of requests.
           */
          "requests": number;
          /**
           * Those of them that the version failed.
           */
          "failed": number;
          /**
           * Those of them that were answered.
           */
          "answered": number;
          /**
           * Sum of the times until the answers.
           */
          "answerMilliseconds": number;
        };
        /**
         * Requests of the version that serves.
         */
        "stable": {
          /**
           * Number of requests.
           */
          "requests": number;
          /**
           * Those of them that the version failed.
           */
          "failed": number;
          /**
           * Those of them that were answered.
           */
          "answered": number;
          /**
           * Sum of the times until the answers.
           */
          "answerMilliseconds": number;
        };
      };
      /**
       * Digest of the steps and bounds. When they change, the canary starts again.
       */
      "canaryDigest"?: string;
    };
    /**
     * The versions that served, the newest number last. rollout.undoTo brings one of them back. Each is kept in a ControllerRevision of its name.
     */
    "revisions"?: Array<{
      /**
       * Its number, which it keeps.
       */
      "number": number;
      /**
       * Its name, and that of its ControllerRevision.
       */
      "name": string;
      /**
       * Folder with model and manifest.
       */
      "model"?: string;
      /**
       * Image of its pods.
       */
      "image"?: string;
      /**
       * Fields of the spec in which it differs from the version that served before it.
       */
      "changed"?: string;
      /**
       * When it last began to serve.
       */
      "servedAt": string;
    }>;
    /**
     * What the server does that reported last before it was ready. Absent once every replica is ready.
     */
    "loading"?: {
      /**
       * Fetching what lies outside the cluster, Reading its weights' file, Checking digests, patterns and values, Measuring products dense and sparse, WarmingUp batches of each size.
       */
      "phase"?: string;
      /**
       * How much of the phase is done.
       */
      "percent"?: number;
    };
    /**
     * What the servers measured when they started.
     */
    "engine"?: {
      /**
       * What computes the masked layers.
       */
      "backend"?: string;
      /**
       * Arithmetic of the network, what engine.precision auto came to.
       */
      "precision"?: string;
      /**
       * Layers that run sparse.
       */
      "sparseLayers"?: number;
      /**
       * Total number of masked layers.
       */
      "totalLayers"?: number;
      /**
       * Measured speed of sparse against dense; 1 means the same.
       */
      "speedup"?: string;
      /**
       * Measured time for one image.
       */
      "latencyMilliseconds"?: {
        /**
         * Median in milliseconds.
         */
        "p50"?: string;
        /**
         * 99th percentile in milliseconds.
         */
        "p99"?: string;
      };
      /**
       * The processor or GPU.
       */
      "device"?: string;
      /**
       * Images that a replica samples at once: less than engine.maxBatchSize where memory ran out.
       */
      "maxBatchSize"?: number;
      /**
       * Why this backend was chosen.
       */
      "reason"?: string;
    };
  };
}

/**
 * SparseInferenceService serves a sparse diffusion model over HTTP, with an OpenAI-compatible endpoint for images. It runs as a Deployment behind a Service of its own name.
 */
export class SparseInferenceService extends Model<ISparseInferenceService> implements ISparseInferenceService {
  "apiVersion": ISparseInferenceService["apiVersion"];
  "kind": ISparseInferenceService["kind"];
  "metadata"?: NonNullable<ISparseInferenceService["metadata"]>;
  "spec": ISparseInferenceService["spec"];
  "status"?: NonNullable<ISparseInferenceService["status"]>;

static apiVersion: ISparseInferenceService["apiVersion"] = "sparsedm.io/v1alpha1";
static kind: ISparseInferenceService["kind"] = "SparseInferenceService";
static is = createTypeMetaGuard<ISparseInferenceService>(SparseInferenceService);

constructor(data?: ModelData<ISparseInferenceService>) {
  super();

  this.setDefinedProps({
    apiVersion: SparseInferenceService.apiVersion,
    kind: SparseInferenceService.kind,
    ...data
  } as ISparseInferenceService);
}
}


setValidateFunc(SparseInferenceService, validate as ValidateFunc<ISparseInferenceService>);
