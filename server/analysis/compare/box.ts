/** The size of every box of a drawing, in pixels at scale 1. */
export const BOX = { width: 158, height: 48 } as const;

/** Upper left corner of a box. */
export interface Placed { readonly x: number; readonly y: number }
