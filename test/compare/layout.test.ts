/** Boxes in layers: none on another, each where its layer is, curves from box to box. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BOX } from '../../server/analysis/compare/box.js';
import { layOut, type LayoutLink, type LayoutNode } from '../../server/analysis/compare/layered-layout.js';

const graph = fc.array(fc.integer({ min: 0, max: 7 }), { minLength: 1, maxLength: 25 }).chain((layers) => {
  const nodes = layers.map((layer, index): LayoutNode => ({ id: `n${index}`, layer }));
  const link = fc.tuple(fc.nat(layers.length - 1), fc.nat(layers.length - 1)).filter(([from, to]) => from !== to).map(([from, to]): LayoutLink => ({ from: `n${from}`, to: `n${to}`, label: 'translates through' }));
  return fc.array(layers.length > 1 ? link : fc.constant(null as never), { maxLength: layers.length > 1 ? 40 : 0 }).map((links) => ({ nodes, links }));
});

describe('layered layout', () => {
  it('puts no box on another, and all of them inside', () => {
    fc.assert(fc.property(graph, ({ nodes, links }) => {
      const { places, width, height } = layOut(nodes, links);
      places.forEach((a, index) => {
        expect(a.x >= 0 && a.y >= 0 && a.x + BOX.width <= width && a.y + BOX.height <= height).toBe(true);
        for (const b of places.slice(index + 1)) expect(a.x + BOX.width <= b.x || b.x + BOX.width <= a.x || a.y !== b.y).toBe(true);
      });
    }));
  });

  it('keeps the order of layers and is the same each time', () => {
    fc.assert(fc.property(graph, ({ nodes, links }) => {
      const layout = layOut(nodes, links);
      expect(layOut(nodes, links)).toEqual(layout);
      nodes.forEach((a, i) => nodes.forEach((b, j) => {
        if (a.layer < b.layer) expect(layout.places[i]!.y).toBeLessThan(layout.places[j]!.y);
        else if (a.layer === b.layer) expect(layout.places[i]!.y).toBe(layout.places[j]!.y);
      }));
    }));
  });

  it('draws every link from the edge of one box to the edge of the other', () => {
    fc.assert(fc.property(graph, ({ nodes, links }) => {
      const { places, links: drawn } = layOut(nodes, links);
      const touches = (x: number, y: number, box: { readonly x: number; readonly y: number }): boolean => x >= box.x - 1 && x <= box.x + BOX.width + 1 && (y === box.y || y === box.y + BOX.height);
      links.forEach(({ from, to }, index) => {
        const numbers = drawn[index]!.d.match(/-?\d+(\.\d+)?/g)!.map(Number);
        expect(drawn[index]!.d).not.toContain('NaN');
        expect(touches(numbers[0]!, numbers[1]!, places[Number(from.slice(1))]!)).toBe(true);
        expect(touches(numbers.at(-2)!, numbers.at(-1)!, places[Number(to.slice(1))]!)).toBe(true);
      });
    }));
  });

  it('of nothing is empty', () => {
    expect(layOut([], [])).toMatchObject({ places: [], links: [] });
  });
});
