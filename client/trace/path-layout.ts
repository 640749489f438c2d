/** Where the nodes and edges of a path are drawn. Units are pixels at scale 1. */
import type { ActionView, PathNodeView } from '../../server/protocol.js';

export const NODE = { width: 112, height: 54, gap: 32 } as const;
const MARGIN = 14;
/** Height that the box of an IOMMU that nobody asked takes above the path. */
const GHOST = 62;

export interface PlacedNode { readonly node: PathNodeView; readonly x: number; readonly y: number }
export interface PlacedEdge { readonly from: PlacedNode; readonly to: PlacedNode; readonly tone: 'plain' | 'bad' | 'bypass' | 'turned' }
export interface PathLayout {
  readonly width: number;
  readonly height: number;
  readonly nodes: readonly PlacedNode[];
  readonly edges: readonly PlacedEdge[];
  /** The IOMMU that the request passed by: drawn apart, not on the line. */
  readonly ghost: { readonly x: number; readonly y: number } | null;
}

export function layOut({ path, bypassedIommu }: ActionView): PathLayout {
  const passedBy = bypassedIommu === true && !path.some(({ kind }) => kind === 'unit');
  const top = MARGIN + (passedBy ? GHOST : 0);
  const nodes = path.map((node, index): PlacedNode => ({ node, x: MARGIN + index * (NODE.width + NODE.gap), y: top }));
  const edges = nodes.slice(1).map((to, index): PlacedEdge => ({ from: nodes[index]!, to, tone: edgeTone(nodes[index]!.node, to.node, bypassedIommu === true) }));
  const width = 2 * MARGIN + path.length * NODE.width + Math.max(0, path.length - 1) * NODE.gap;
  return { width, height: top + NODE.height + MARGIN, nodes, edges, ghost: passedBy ? { x: (width - NODE.width) / 2, y: MARGIN - 4 } : null };
}

function edgeTone(from: PathNodeView, to: PathNodeView, bypassed: boolean): PlacedEdge['tone'] {
  if (to.kind === 'nowhere' || from.verdict === 'fault' || from.verdict === 'blocked') return 'bad';
  if (bypassed) return 'bypass';
  return from.verdict === 'redirected' ? 'turned' : 'plain';
}

/** The node at which a step happens; -1 when it is at none. */
export const nodeOfStep = (path: readonly PathNodeView[], step: number): number => path.findIndex(({ steps }) => steps.includes(step));
