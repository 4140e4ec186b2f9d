/** OpenAI's client for Node against a server that draws with the text-to-image model that ships. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensurePython, IMAGE_ENV } from '../../scripts/python';
import { freePorts } from '../cluster/control-plane';
import { eventually } from './api-server';

const engine = { steps: 4, maxSteps: 1000, guidance: '1', maxBatchSize: 8, maxBatchDelayMilliseconds: 0 };
const prompt = 'a red apple, noto style';

let folder: string;
let origin: string;
let server: ChildProcess;
let client: OpenAI;

const isReady = () =>
  fetch(`${origin}/v2/health/ready`).then(
    ({ status }) => status === 200,
    () => false,
  );

beforeAll(async () => {
  const python = await ensurePython(console.error);
  folder = await mkdtemp(path.join(tmpdir(), 'sparsedm-server-'));
  const [port] = await freePorts(1);
  origin = `http://127.0.0.1:${port}`;
  const log = openSync(path.join(folder, 'log'), 'w');
  server = spawn(python, ['-m', 'sparsedm.cli', 'serve', '--port', String(port)], {
    stdio: ['ignore', log, log],
    env: {
      ...process.env,
      ...IMAGE_ENV,
      OMP_NUM_THREADS: '1',
      PYTHONPATH: path.resolve('images/sparsedm/src'),
      SPARSEDM_MODEL: path.resolve('images/sparsedm/src/sparsedm/weights/emoji-text'),
      SPARSEDM_ENGINE: JSON.stringify(engine),
      // Half a second after SIGTERM, nothing can be drawn in time any more.
      SPARSEDM_GRACE_SECONDS: '2.5',
    },
  });
  const ended = once(server, 'exit').then(async () => {
    throw new Error(await readFile(path.join(folder, 'log'), 'utf8'));
  });
  await Promise.race([eventually(isReady, { timeoutMs: 200_000 }), ended]);
  client = new OpenAI({ baseURL: `${origin}/v1`, apiKey: 'any', maxRetries: 0 });
}, 240_000);
afterAll(async () => {
  server.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

type Params = OpenAI.ImageGenerateParamsNonStreaming;
/** What the client does not know, and passes on. */
type Further = { seed?: number; num_inference_steps?: number };

/** All parameters that this version of the client has: the compiler says when another has more. Null has no default. */
const defaults = {
  model: 'emoji-text',
  n: 1,
  size: 'auto',
  quality: 'auto',
  background: 'auto',
  complexity: null,
  frame_count: null,
  frame_duration_ms: null,
  svg: null,
  output_format: 'png',
  output_compression: 100,
  moderation: 'auto',
  partial_images: 0,
  response_format: 'b64_json',
  style: 'vivid',
  stream: false,
  user: 'me',
  safety_identifier: 'me',
} satisfies Required<Omit<Params, 'prompt'>>;
const nulls = Object.fromEntries(Object.keys(defaults).map((name) => [name, null])) as Partial<Params>;

const bytesOf = (b64?: string) => Buffer.from(b64 ?? '', 'base64');
const draw = (params: Partial<Params> & Further, options?: OpenAI.RequestOptions) =>
  client.images.generate({ prompt, ...params } as Params, options);

it.each([
  ['none', {}],
  ['all, at their defaults', defaults],
  ['all, as null', nulls],
])('takes OpenAI’s parameters: %s', async (_, params) => {
  const answer = await draw(params);
  expect(answer).toMatchObject({ size: '32x32', output_format: 'png', background: 'opaque' });
  expect(answer.created).toBeGreaterThan(0);
  expect(answer._request_id).toBeTruthy();
  const { usage } = answer;
  expect(usage?.total_tokens).toBe(usage!.input_tokens + usage!.output_tokens);
  expect(usage?.input_tokens).toBeGreaterThan(0);
  expect(answer.data).toHaveLength(1);
  expect(bytesOf(answer.data?.[0]?.b64_json).subarray(1, 4).toString()).toBe('PNG');
});

it('streams partial images, and then the image of an answer in one piece', async () => {
  const params = { prompt, seed: 3, output_format: 'webp' } as const;
  const whole = await draw(params);
  const events: OpenAI.ImageGenStreamEvent[] = [];
  const stream = await client.images.generate({ ...params, stream: true, partial_images: 3 });
  for await (const event of stream) events.push(event);
  expect(events.map(({ type }) => type)).toEqual([
    ...Array<string>(3).fill('image_generation.partial_image'),
    'image_generation.completed',
  ]);
  expect(events.map((event) => 'partial_image_index' in event && event.partial_image_index)).toEqual([
    ...[0, 1, 2],
    false,
  ]);
  expect(events.at(-1)).toMatchObject({
    b64_json: whole.data?.[0]?.b64_json,
    size: '32x32',
    quality: 'auto',
    usage: whole.usage,
  });
  expect(new Set(events.map(({ b64_json: image }) => image)).size).toBe(4);
});

it('lists the model', async () => {
  const { data } = await client.models.list();
  expect(data.map(({ id }) => id)).toEqual(['emoji-text']);
  expect((await client.models.retrieve('emoji-text')).owned_by).toBe('sparsedm');
});

describe('an error', () => {
  const long = { n: 4, num_inference_steps: 1000 };
  const patient = { 'X-Stainless-Timeout': '600' };

  it.each<[string, Partial<Params> & Further, OpenAI.RequestOptions, unknown, number | undefined, string?]>([
    ['a wrong number', { n: 17 }, {}, OpenAI.BadRequestError, 400, 'invalid_value'],
    [
      'a wrong number in a stream',
      { n: 2, stream: true as never },
      {},
      OpenAI.BadRequestError,
      400,
      'invalid_value',
    ],
    ['a text too long', { prompt: 'apple '.repeat(99) }, {}, OpenAI.BadRequestError, 400, 'prompt_too_long'],
    ['what cannot be done', { response_format: 'url' }, {}, OpenAI.BadRequestError, 400, 'invalid_value'],
    ['another model', { model: 'dall-e-3' }, {}, OpenAI.NotFoundError, 404, 'model_not_found'],
    ['a large body', { prompt: 'a'.repeat(600_000) }, {}, OpenAI.APIError, 413, 'request_too_large'],
    [
      'no JSON',
      {},
      { headers: { 'Content-Type': 'text/plain' } },
      OpenAI.APIError,
      415,
      'unsupported_media_type',
    ],
    ['what its own time-out would cut off', long, { timeout: 1000 }, OpenAI.RateLimitError, 429, 'too_late'],
    ['silence', long, { timeout: 300, headers: patient }, OpenAI.APIConnectionTimeoutError, undefined],
  ])('of its kind: %s', async (_, params, options, kind, status, code) => {
    const error: unknown = await draw(params, options).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(kind);
    expect((error as InstanceType<typeof OpenAI.APIError>).status).toBe(status);
    if (code === undefined) return;
    expect(error).toMatchObject({ code, requestID: expect.stringMatching(/./) as string });
  });

  it('of its kind: its own end, after which nothing is drawn for it', async () => {
    const drawn = async () =>
      /^sparsedm_drawing_images (\d+)/m.exec(await (await fetch(`${origin}/metrics`)).text())![1];
    await eventually(async () => (await drawn()) === '0'); // those before have gone
    const leave = new AbortController();
    const drawing = draw(long, { signal: leave.signal, headers: patient }).catch((thrown: unknown) => thrown);
    await eventually(async () => (await drawn()) === '4');
    leave.abort();
    expect(await drawing).toBeInstanceOf(OpenAI.APIUserAbortError);
    await eventually(async () => (await drawn()) === '0');
  });

  it('of its kind: nobody listens', async () => {
    const [silent] = await freePorts(1);
    const lost = client.withOptions({ baseURL: `http://127.0.0.1:${silent}/v1` });
    await expect(lost.models.list()).rejects.toBeInstanceOf(OpenAI.APIConnectionError);
  });

  it('of its kind: the end of the server, at once and within a stream', async () => {
    const lengthy = { prompt, num_inference_steps: 1000, stream: true } as const;
    const stream = await client.images.generate(lengthy); // its head has come
    const others = draw(long).catch((thrown: unknown) => thrown);
    const ended = once(server, 'exit');
    server.kill('SIGTERM');
    await eventually(() =>
      draw({}).then(
        () => false,
        (thrown: unknown) => {
          expect(thrown).toBeInstanceOf(OpenAI.InternalServerError);
          expect(thrown).toMatchObject({ status: 503, code: 'draining' });
          return true;
        },
      ),
    );
    const all = async () => {
      for await (const event of stream) expect(event.type).toBe('image_generation.partial_image');
    };
    await expect(all()).rejects.toMatchObject({ code: 'draining' });
    expect(await others).toBeInstanceOf(OpenAI.InternalServerError);
    expect(await ended).toEqual([0, null]);
  });
});
