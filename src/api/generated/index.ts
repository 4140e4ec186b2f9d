export * as sparsedmIo from "./sparsedm.io/index";
