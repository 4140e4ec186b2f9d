export * from "./SparseFinetune";
export * from "./SparseInferenceService";
