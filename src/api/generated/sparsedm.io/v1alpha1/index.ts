export * from "./SparseFinetune";
export * from "./SparseInferenceService";
export * from "./SparseStudy";
