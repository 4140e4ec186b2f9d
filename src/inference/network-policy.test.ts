import { describe, expect, it } from 'vitest';
import { aService } from '../../test/support/inference';
import type { SparseInferenceServiceSpec } from '../api/types';
import { buildNetworkPolicy } from './network-policy';

type Asked = SparseInferenceServiceSpec['networkPolicy'];

const settings = { operatorNamespace: 'system', reportsPorts: [8082] };
const operator = { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'system' } } };
const team = { namespaceSelector: { matchLabels: { team: 'a' } } };
const collector = { ipBlock: { cidr: '10.0.0.0/8' } };

const specOf = (networkPolicy: Asked) =>
  buildNetworkPolicy(aService({ ...(networkPolicy && { networkPolicy }) }), settings)?.spec;

describe('the NetworkPolicy', () => {
  it('is absent where none is asked for', () => {
    expect(specOf(undefined)).toBeUndefined();
  });

  it.each<[string, Asked, object[]]>([
    ['the own namespace', {}, [operator, { podSelector: {} }]],
    ['nobody but the operator’s namespace', { from: [] }, [operator]],
    ['the peers that are named', { from: [team, collector] }, [operator, team, collector]],
  ])('admits %s', (_, asked, want) => {
    expect(specOf(asked)).toMatchObject({
      podSelector: { matchLabels: { 'sparsedm.io/service': 'shirts' } },
      policyTypes: ['Ingress'],
      ingress: [{ from: want, ports: [{ port: 8080, protocol: 'TCP' }] }],
    });
  });

  it.each<[string, Asked, object[]]>([
    ['nowhere else', { to: [] }, []],
    ['to the peers that are named', { to: [collector] }, [{ to: [collector] }]],
  ])('lets pods connect to the DNS, the operator and %s', (_, asked, want) => {
    const spec = specOf(asked);
    expect(spec?.policyTypes).toEqual(['Ingress', 'Egress']);
    expect(spec?.egress).toEqual([
      {
        ports: [
          { port: 53, protocol: 'UDP' },
          { port: 53, protocol: 'TCP' },
        ],
      },
      { to: [operator], ports: [{ port: 8082, protocol: 'TCP' }] },
      ...want,
    ]);
  });

  it('leaves connections of the pods alone unless asked', () => {
    expect(specOf({})?.egress).toBeUndefined();
  });
});
