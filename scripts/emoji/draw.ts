import { Resvg, type RenderedImage } from '@resvg/resvg-js';
import type { Picture } from './collection';

/** An image of size x size pixels on white: what is not square is centred. */
export function draw({ body, width, height }: Picture['icon'], size: number): RenderedImage {
  const side = Math.max(width, height);
  const viewBox = [(width - side) / 2, (height - side) / 2, side, side].join(' ');
  const svg =
    '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" ' +
    `width="${side}" height="${side}" viewBox="${viewBox}">${body}</svg>`;
  const options = {
    background: 'white',
    fitTo: { mode: 'width', value: size },
    font: { loadSystemFonts: false },
  } as const;
  return new Resvg(svg, options).render();
}
