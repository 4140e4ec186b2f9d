/** The embedded cluster, for the commands and tests of this repository. */
export { ensureBinaries, type Binaries, type Report } from './binaries';
export { clusterDown, type DownOptions } from './down';
export { clusterUp, ensureContainerd, type Cluster, type UpOptions } from './up';
export { clusterIsUp, clusterStatus, type PartStatus } from './status';
export {
  startControlPlane,
  type ControlledProcess,
  type ControlPlane,
  type ControlPlaneOptions,
} from './control-plane';
export { loadImage, loadFromBuildah, loadedSource } from './load';
export { auditLines } from './audit-log';
export { cacheDir, clusterPaths, kubeconfigPath } from './paths';
export { installPackages, packages, type PackageName } from './packages';
export { ClusterError } from './wait';
