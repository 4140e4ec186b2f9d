import { expect, it } from 'vitest';
import { settingBehind } from './fields';

const settings = {
  env: [{ name: 'A', value: '1' }],
  volumes: [{ name: 'data', emptyDir: {} }],
  volumeMounts: [{ name: 'data', mountPath: '/data' }],
};
const template = {
  spec: {
    containers: [
      {
        name: 'trainer',
        env: [{ name: 'SPARSEDM_RUN' }, { name: 'HOME' }, { name: 'A' }],
        volumeMounts: [{ name: 'tmp', mountPath: '/tmp' }, ...settings.volumeMounts],
      },
    ],
    volumes: [{ name: 'tmp', emptyDir: {} }, { name: 'token' }, ...settings.volumes],
  },
};

it.each([
  ['spec.template.labels', 'spec.trainer.podLabels'],
  ['spec.template.metadata.labels', 'spec.trainer.podLabels'],
  ['spec.template.annotations[a b]', 'spec.trainer.podAnnotations[a b]'],
  ['spec.template.spec.nodeSelector', 'spec.trainer.nodeSelector'],
  ['spec.template.spec.tolerations[1].operator', 'spec.trainer.tolerations[1].operator'],
  ['spec.template.spec.affinity.nodeAffinity', 'spec.trainer.affinity.nodeAffinity'],
  ['spec.template.spec.serviceAccountName', 'spec.trainer.serviceAccountName'],
  ['spec.template.spec.imagePullSecrets[0].name', 'spec.trainer.imagePullSecrets[0].name'],
  ['spec.template.spec.containers[0].image', 'spec.trainer.image'],
  ['spec.template.spec.containers[0].resources.requests', 'spec.trainer.resources.requests'],
  [
    'spec.template.spec.containers[0].resources.limits[nvidia.com/gpu]',
    'spec.trainer.resources.limits[nvidia.com/gpu]',
  ],
  ['spec.template.spec.containers[0].env[2].valueFrom', 'spec.trainer.env[0].valueFrom'],
  ['spec.template.spec.containers[0].volumeMounts[1].mountPath', 'spec.trainer.volumeMounts[0].mountPath'],
  ['spec.template.spec.volumes[2].name', 'spec.trainer.volumes[0].name'],
  // Not of the user's making.
  [
    'spec.template.spec.containers[0].volumeMounts[0].name',
    'spec.template.spec.containers[0].volumeMounts[0].name',
  ],
  ['spec.template.spec.containers[0].env[1].value', 'spec.template.spec.containers[0].env[1].value'],
  ['spec.template.spec.volumes[0].name', 'spec.template.spec.volumes[0].name'],
  ['spec.backoffLimit', 'spec.backoffLimit'],
])('%s is %s', (field, want) => {
  expect(settingBehind(field, 'spec.trainer', settings, template)).toBe(want);
});
