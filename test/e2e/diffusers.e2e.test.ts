/** A network of the diffusers library through real pods: from its folder on a claim to images, and back to a folder. */
import { beforeAll, describe, expect, it } from 'vitest';
import type { SparseFinetune, SparseInferenceService } from '../../src/api/types';
import { isFinished } from '../../src/finetune/progress';
import { findCondition } from '../../src/kube/conditions';
import {
  apply,
  applyClaim,
  explainFailure,
  fashionMnist,
  forward,
  generate,
  get,
  inNotebook,
  kubectl,
  list,
  picturesOf,
  serve,
  smallEvaluation,
  until,
  useNamespace,
} from './cluster';

const namespace = useNamespace('e2e-diffusers');

/** DiT's architecture at a size for two cores. Its own start draws nothing, hence the noise. */
const writeDit = `
import torch
from diffusers import DiTTransformer2DModel

torch.manual_seed(0)
dit = DiTTransformer2DModel(
    sample_size=32, in_channels=1, out_channels=2, patch_size=4, num_layers=3,
    num_attention_heads=2, attention_head_dim=32, num_embeds_ada_norm=10,
)
for parameter in dit.parameters():
    torch.nn.init.normal_(parameter, std=0.05)
dit.save_pretrained("/models/dit")
`;

/** What the owner's other programs see: zeros in every group, in a network that the library itself builds. */
const readDit = `
from diffusers import DiTTransformer2DModel

dit = DiTTransformer2DModel.from_pretrained("/tmp/dit", local_files_only=True)
for name, weight in dit.state_dict().items():
    if ".attn1.to_" in name and weight.dim() == 2:
        kept = (weight.reshape(-1, 4) != 0).sum(dim=1)
        print(name, int(kept.min()), int(kept.max()))
`;

/** Mean red, green and blue of a PNG in base64, in its middle, where the emoji is. */
const meanColour = `
import base64, io, sys
from PIL import Image, ImageStat

image = Image.open(io.BytesIO(base64.b64decode(sys.stdin.read())))
print(*ImageStat.Stat(image.crop((8, 8, 24, 24))).mean)
`;

/** A SparseFinetune of the DiT, or of what `changes` say, when it is over. */
async function trained(name: string, changes: Partial<SparseFinetune['spec']> = {}): Promise<SparseFinetune> {
  await apply(namespace, {
    apiVersion: 'sparsedm.io/v1alpha1',
    kind: 'SparseFinetune',
    metadata: { name },
    spec: {
      model: { architecture: 'dit', pretrained: { uri: 'pvc://models/dit' } },
      dataset: fashionMnist,
      training: { steps: 20, batchSize: 16, warmupSteps: 5 },
      checkpoint: { everySteps: 10 },
      evaluation: smallEvaluation,
      output: { uri: `pvc://models/sparse-${name}` },
      ...changes,
    },
  });
  return until(
    () => get<SparseFinetune>(namespace, `sft/${name}`),
    isFinished,
    'the end of training',
    240_000,
  );
}

const inServer = (...command: string[]) =>
  kubectl(['-n', namespace, 'exec', 'deploy/dit-server', '--', ...command]);

beforeAll(async () => {
  await applyClaim(namespace);
});

describe('a DiT of diffusers', () => {
  beforeAll(async () => {
    await inNotebook(namespace, 'writer', 'python', '-c', writeDit);
  });

  it('is refused once, with a sentence, while its owner alone may read it', async () => {
    explainFailure(namespace);
    const refused = await trained('denied');
    expect(refused.status?.phase).toBe('Failed');
    expect(refused.status?.attempts?.number).toBe(1);
    const why = findCondition(refused.status?.conditions, 'Succeeded');
    expect(why?.reason).toBe('PermissionDenied');
    expect(why?.message).toMatch(/dit\/\S+\.safetensors may not be opened by user 10001 of group 10001/);
    const events = await until(
      () => list<{ reason: string; note?: string }>(namespace, 'events.events.k8s.io'),
      (found) => found.some(({ reason }) => reason === 'PermissionDenied'),
      'an event of the end', // events are written after the status
      30_000,
    );
    expect(events.filter(({ note }) => note?.includes('tries again'))).toEqual([]);
  });

  it('is trained from its folder on a claim', async () => {
    explainFailure(namespace);
    await inNotebook(namespace, 'opener', 'chmod', '-R', 'a+rX', '/models/dit');
    const { status } = await trained('dit');
    expect(status?.phase).toBe('Succeeded');
    expect(status?.sparsity).toMatchObject({ pattern: '2:4', achieved: '0.5', compliant: true });
    expect(status?.macs?.sparse).toBeLessThan(0.8 * (status?.macs?.dense ?? 0));
    expect(Number(status?.fid?.sparse)).toBeGreaterThan(0);
  });

  it('draws a class by its name, the same image for the same seed', async () => {
    explainFailure(namespace);
    await serve(namespace, 'dit', 4);
    const service = await get<SparseInferenceService>(namespace, 'sis/dit');
    expect(service.status?.readyReplicas).toBe(1);
    await forward(namespace, 'svc/dit', 80, async (url) => {
      const draw = async (prompt: string) => {
        const response = await generate(url, { prompt, seed: 7 });
        expect(response.status).toBe(200);
        return picturesOf(response);
      };
      const [bag, again, coat] = [await draw('bag'), await draw('bag'), await draw('coat')];
      expect(again).toEqual(bag);
      expect(bag).toHaveLength(1);
      expect(coat).not.toEqual(bag);
    });
  });

  it('goes back into a folder that diffusers reads, with two of four weights kept', async () => {
    explainFailure(namespace);
    await inServer('sh', '-c', 'sparsedm export "$SPARSEDM_MODEL" --out /tmp/dit');
    const lines = (await inServer('python', '-c', readDit)).trim().split('\n');
    expect(lines).toHaveLength(3 * 4);
    for (const line of lines) expect(line).toMatch(/^transformer_blocks\.\d\.attn1\.to_\S+ 2 2$/);
  });
});

describe('the pipeline that ships', () => {
  it('is recorded, trained and served, at the size, steps and guidance of a request', async () => {
    explainFailure(namespace);
    const ships = 'file:///opt/sparsedm/weights/emoji-pipeline';
    const { status } = await trained('pipeline', {
      model: { architecture: 'pipeline', pretrained: { uri: ships } },
      dataset: { format: 'prompts', uri: `${ships}/prompts.txt`, samples: 4, guidanceScale: '2' },
      training: { steps: 4, batchSize: 2, warmupSteps: 1 },
      checkpoint: { everySteps: 4 },
      evaluation: { samples: 4, steps: 4, extractorUri: `${ships}/extractor.safetensors` },
    });
    expect(status?.phase, JSON.stringify(status?.conditions)).toBe('Succeeded');
    expect(status?.sparsity).toMatchObject({ pattern: '2:4', compliant: true });
    await serve(namespace, 'pipeline', 4);
    await forward(namespace, 'svc/pipeline', 80, async (url) => {
      const draw = async (body: object) => {
        const response = await generate(url, { prompt: 'a tomato, noto style', seed: 7, ...body });
        expect(response.status, await response.clone().text()).toBe(200);
        return picturesOf(response);
      };
      const [first, again] = [await draw({}), await draw({})];
      expect(again).toEqual(first);
      expect(await draw({ negative_prompt: 'a banana', guidance_scale: 4 })).not.toEqual(first);
      const [small] = await draw({ size: '16x32', num_inference_steps: 2 });
      // The header of a PNG has its width and height.
      expect([small!.readUInt32BE(16), small!.readUInt32BE(20)]).toEqual([16, 32]);
      expect((await generate(url, { prompt: 'a tomato', size: '64x64' })).status).toBe(400);
    });
  });
});

describe('the text-to-image model that ships', () => {
  it('says how far it is loaded, checks its canary, and draws after captions', async () => {
    explainFailure(namespace);
    const ships = '/opt/sparsedm/weights/emoji-text';
    await inNotebook(namespace, 'copier', 'cp', '-r', ships, '/models/emoji');
    await apply(namespace, {
      apiVersion: 'sparsedm.io/v1alpha1',
      kind: 'SparseInferenceService',
      metadata: { name: 'emoji' },
      spec: { model: { uri: 'pvc://models/emoji' }, engine: { guidance: '1' } },
    });
    const phases = new Set<string>();
    await until(
      () => get<SparseInferenceService>(namespace, 'sis/emoji'),
      ({ status }) => {
        if (status?.loading?.phase) phases.add(status.loading.phase);
        return findCondition(status?.conditions, 'Ready')?.status === 'True' && !status?.loading;
      },
      'a server that is ready',
      180_000,
    );
    expect([...phases]).not.toEqual([]);
    const log = await kubectl(['-n', namespace, 'logs', 'deploy/emoji-server']);
    expect(log).toContain('The canary is as training drew it.');
    await forward(namespace, 'svc/emoji', 80, async (url) => {
      const colourOf = async (prompt: string) => {
        const [picture] = await picturesOf(await generate(url, { prompt, seed: 1 }));
        const command = ['exec', '-i', 'deploy/emoji-server', '--', 'python', '-c', meanColour];
        const text = await kubectl(['-n', namespace, ...command], picture!.toString('base64'));
        return text.trim().split(' ').map(Number) as [number, number, number];
      };
      const [red, green] = await colourOf('a tomato, noto style');
      expect(red).toBeGreaterThan(green + 50);
      const [ofGreenRed, ofGreen] = await colourOf('a green apple, noto style');
      expect(ofGreen).toBeGreaterThan(ofGreenRed + 20);
    });
  });
});
