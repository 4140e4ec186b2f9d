import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock';
import { silentLogger } from '../../test/support/silent-logger';
import type { Mailbox } from './mailbox';
import type { Reporter } from './review';
import { createReportServer } from './server';

const kind = {
  name: 'load',
  resource: { group: 'example.com', version: 'v1', plural: 'things', kind: 'Thing', namespaced: true },
  address: { objects: 'things', topic: 'load' },
  controllers: [],
};
const object = {
  apiVersion: 'example.com/v1',
  kind: 'Thing',
  metadata: { name: 'a', namespace: 'ml', uid: 'u' },
};

let close = () => {};
afterEach(() => close());

/** Posts to a server whose only mailbox answers in JSON. */
async function post(mailbox: Partial<Mailbox>, times = 1, as: Partial<Reporter> = {}): Promise<Response[]> {
  const reporter = { namespace: 'ml', podName: 'a-1', account: 'default', ...as };
  let pods = 0;
  const server = createReportServer({
    // Each report comes from another pod.
    reviewer: { review: () => Promise.resolve({ podUid: `p${pods++}`, ...reporter }) },
    owners: { owns: () => Promise.resolve(true) },
    mailboxes: [
      {
        kind,
        isHere: () => true,
        writes: false,
        find: () => ({ object, put: (body) => Promise.resolve({ answer: { heard: body } }) }),
        flush: () => Promise.resolve(),
        waiting: 0,
        ...mailbox,
      },
    ],
    clock: new FakeClock(),
    logger: silentLogger,
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  close = () => server.close();
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/things/ml/a/load`;
  const answers: Response[] = [];
  for (let i = 0; i < times; i++) {
    answers.push(
      await fetch(url, { method: 'POST', headers: { authorization: 'Bearer x' }, body: '{"n":1}' }),
    );
  }
  return answers;
}

it('answers in JSON where a mailbox has an answer', async () => {
  const [answer] = await post({});
  expect(answer?.status).toBe(200);
  expect(await answer?.json()).toEqual({ heard: { n: 1 } });
});

it('sends a pod away whose reports another replica takes', async () => {
  const [answer] = await post({ isHere: () => false });
  expect(answer?.status).toBe(421);
  expect(await answer?.json()).toMatchObject({ code: 'NotLeader' });
});

it.each<[string, Partial<Reporter>, number]>([
  ['the account, from any namespace', { namespace: 'system', account: 'gateway' }, 200],
  ['another account of the namespace', { namespace: 'system', account: 'operator' }, 403],
  ['an account of that name elsewhere', { namespace: 'ml', account: 'gateway' }, 403],
])('hears only one account where a mailbox names it: %s', async (_, as, status) => {
  const account = { namespace: 'system', name: 'gateway' };
  const [answer] = await post({ account }, 1, as);
  expect(answer?.status).toBe(status);
  if (status === 403) {
    expect(await answer?.json()).toMatchObject({
      message: 'Only pods of the ServiceAccount system/gateway can report here.',
    });
  }
});

it('lets the pods of an account speak for each object as often as a pod for its own', async () => {
  const as = { namespace: 'system', account: 'gateway', podUid: 'p' };
  const answers = await post({ account: { namespace: 'system', name: 'gateway' } }, 12, as);
  expect(answers.filter(({ status }) => status === 429)).toHaveLength(2);
});

it('limits the pods of one object together only where their reports are written', async () => {
  const heard = await post({}, 30);
  expect(heard.every(({ status }) => status === 200)).toBe(true);
  close();
  const written = await post({ writes: true }, 30);
  expect(written.filter(({ status }) => status === 429)).toHaveLength(20);
});
