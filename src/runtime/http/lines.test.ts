import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createLineSplitter } from './lines';

test('cuts lines, drops empty ones and keeps what is unfinished', () => {
  const splitter = createLineSplitter();
  expect(splitter.push(Buffer.from('one\n\ntwo\r\nthr'))).toEqual(['one', 'two']);
  expect(splitter.push(Buffer.from('ee\n'))).toEqual(['three']);
});

test('a chunk may end inside a character', () => {
  const bytes = Buffer.from('Größe 🐟\n');
  for (let cut = 1; cut < bytes.length; cut++) {
    const splitter = createLineSplitter();
    const lines = [...splitter.push(bytes.subarray(0, cut)), ...splitter.push(bytes.subarray(cut))];
    expect(lines).toEqual(['Größe 🐟']);
  }
});

test('property: however the bytes are cut, the same lines come out', () => {
  const line = fc.string({ unit: 'binary', minLength: 1 }).map((text) => JSON.stringify(text));
  fc.assert(
    fc.property(fc.array(line), fc.array(fc.nat()), (want, cuts) => {
      const bytes = Buffer.from(want.map((text) => `${text}\n`).join(''));
      const ends = [...new Set(cuts.map((cut) => cut % (bytes.length + 1))), bytes.length].sort(
        (a, b) => a - b,
      );
      const splitter = createLineSplitter();
      let start = 0;
      const lines: string[] = [];
      for (const end of ends) {
        lines.push(...splitter.push(bytes.subarray(start, end)));
        start = end;
      }
      expect(lines).toEqual(want);
    }),
  );
});

test('a line without end is refused before it fills the memory', () => {
  const splitter = createLineSplitter();
  const chunk = Buffer.alloc(1024 * 1024, 'x');
  expect(() => {
    for (let count = 0; count < 64; count++) splitter.push(chunk);
  }).toThrow('a line of more than');
});
