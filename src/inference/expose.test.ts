import { describe, expect, it } from 'vitest';
import { aService } from '../../test/support/inference';
import { buildIngress, buildRoute } from './expose';

const parentRefs = [{ name: 'edge' }];

describe('the HTTPRoute', () => {
  it('is absent where none is asked for', () => {
    expect(buildRoute(aService())).toBeUndefined();
    expect(buildRoute(aService({ expose: { ingress: { host: 'a.example.com' } } }))).toBeUndefined();
  });

  it('leads everything that comes by its parents to the Service, without time-outs', () => {
    const route = buildRoute(aService({ expose: { httpRoute: { parentRefs } } }));
    expect(route?.metadata).toMatchObject({ name: 'shirts', namespace: 'ml' });
    expect(route?.spec).toEqual({ parentRefs, rules: [{ backendRefs: [{ name: 'shirts', port: 80 }] }] });
  });

  it('has the hosts and time-outs that are asked for', () => {
    const timeouts = { request: '600s' };
    const hostnames = ['a.example.com'];
    const route = buildRoute(aService({ expose: { httpRoute: { parentRefs, hostnames, timeouts } } }));
    expect(route?.spec).toMatchObject({ hostnames, rules: [{ timeouts }] });
  });
});

describe('the Ingress', () => {
  const ingressOf = (more: object = {}) =>
    buildIngress(aService({ expose: { ingress: { host: 'a.example.com', ...more } } }));

  it('is absent where none is asked for', () => {
    expect(buildIngress(aService({ expose: { httpRoute: { parentRefs } } }))).toBeUndefined();
  });

  it('leads every path of its host to the Service, and nothing more', () => {
    const backend = { service: { name: 'shirts', port: { number: 80 } } };
    expect(ingressOf()?.spec).toEqual({
      rules: [{ host: 'a.example.com', http: { paths: [{ path: '/', pathType: 'Prefix', backend }] } }],
    });
    expect(ingressOf()?.metadata.annotations).toBeUndefined();
  });

  it.each([
    ['class', { className: 'edge' }, { spec: { ingressClassName: 'edge' } }],
    [
      'certificate',
      { tls: { secretName: 'c' } },
      { spec: { tls: [{ hosts: ['a.example.com'], secretName: 'c' }] } },
    ],
    ["controller's own certificate", { tls: {} }, { spec: { tls: [{ hosts: ['a.example.com'] }] } }],
    ['annotations', { annotations: { a: 'b' } }, { metadata: { annotations: { a: 'b' } } }],
  ])('has the %s that is asked for', (_, asked, want) => {
    expect(ingressOf(asked)).toMatchObject(want);
  });
});
