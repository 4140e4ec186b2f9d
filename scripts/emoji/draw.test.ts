import type { RenderedImage } from '@resvg/resvg-js';
import { describe, expect, it } from 'vitest';
import { draw } from './draw';

const red = '<path fill="#f00" d="M0 0h4v4H0z"/>';

const at = (image: RenderedImage, x: number, y: number) => [
  ...image.pixels.subarray(4 * (y * image.width + x), 4 * (y * image.width + x) + 4),
];

describe('drawing', () => {
  it('fills the square, on white', () => {
    const image = draw({ body: red, width: 8, height: 8 }, 16);
    expect([image.width, image.height]).toEqual([16, 16]);
    expect([at(image, 0, 0), at(image, 7, 7), at(image, 8, 8)]).toEqual([
      [255, 0, 0, 255],
      [255, 0, 0, 255],
      [255, 255, 255, 255],
    ]);
  });

  it('centres what is not square', () => {
    const image = draw({ body: red, width: 4, height: 8 }, 8);
    expect([image.width, image.height]).toEqual([8, 8]);
    expect([at(image, 1, 0), at(image, 2, 0), at(image, 5, 3), at(image, 6, 3)]).toEqual([
      [255, 255, 255, 255],
      [255, 0, 0, 255],
      [255, 0, 0, 255],
      [255, 255, 255, 255],
    ]);
  });

  it('makes the same bytes again', () => {
    const icon = { body: '<circle cx="4" cy="4" r="3" fill="#08f"/>', width: 8, height: 8 };
    expect(draw(icon, 32).asPng().equals(draw(icon, 32).asPng())).toBe(true);
  });
});
