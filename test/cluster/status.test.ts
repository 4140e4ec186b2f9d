import { expect, it } from 'vitest';
import { statusTable } from './status';

it('lines up the columns', () => {
  const table = statusTable(
    [
      { name: 'etcd', state: 'healthy', pid: 12 },
      { name: 'node', state: 'down' },
    ],
    () => 34,
  );
  expect(table.split('\n')).toEqual([
    'COMPONENT  STATE    PID  MEMORY',
    'etcd       healthy  12   34 MiB',
    'node       down     -    -',
  ]);
});
