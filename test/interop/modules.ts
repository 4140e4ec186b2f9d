/** Go modules whose programs or schemas the operator has to agree with, at the versions that the tests are about. */
import type { GoModule } from '../cluster/go-module';

export const KEDA: GoModule = {
  path: 'github.com/kedacore/keda/v2',
  version: 'v2.21.0',
  sum: 'h1:R6z2HZvstK4RLUMxroNACzBj74xGxt3kG59b5Xc+Xps=',
};

export const KUEUE: GoModule = {
  path: 'sigs.k8s.io/kueue',
  version: 'v0.17.0',
  sum: 'h1:7hzb38M4eKGzYW+CFv2s1L+swzzacUCHOCXxZmAV90I=',
};

export const VERSITYGW: GoModule = {
  path: 'github.com/versity/versitygw',
  version: 'v1.8.0',
  sum: 'h1:au+wI+aybno/STsQiSm35Uu6Q6iK5MWReQxgO6SEMFc=',
};
