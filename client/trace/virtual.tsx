/** Rows of one height, of which only those on the screen exist. */
import type { ComponentChildren } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';

const OVERSCAN = 8;

interface Properties {
  readonly count: number;
  readonly rowHeight: number;
  /** Row that is kept in sight; -1 for none. */
  readonly active: number;
  /** Draws row `index`; its outermost element must have `style`. */
  readonly row: (index: number, style: { readonly top: string; readonly height: string }) => ComponentChildren;
  /** Attributes of the scrolling element. */
  readonly attributes: Readonly<Record<string, unknown>>;
  /** Drawn above the rows, inside the scrolling element; stays in sight. */
  readonly header?: ComponentChildren;
  readonly headerHeight?: number;
}

export function VirtualRows({ count, rowHeight, active, row, attributes, header, headerHeight = 0 }: Properties) {
  const box = useRef<HTMLDivElement>(null);
  const [{ top, height }, setView] = useState({ top: 0, height: 800 });

  useLayoutEffect(() => {
    const element = box.current!;
    const measure = () => setView({ top: element.scrollTop, height: element.clientHeight });
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    measure();
    return () => observer.disconnect();
  }, []);

  useEffect(() => {
    const element = box.current!;
    const start = active * rowHeight;
    if (active < 0) return;
    if (start < element.scrollTop) element.scrollTop = start;
    else if (start + rowHeight + headerHeight > element.scrollTop + element.clientHeight) element.scrollTop = start + rowHeight + headerHeight - element.clientHeight;
  }, [active, count, rowHeight, headerHeight, height]);

  const first = Math.max(0, Math.floor(top / rowHeight) - OVERSCAN);
  const end = Math.min(count, Math.ceil((top + height) / rowHeight) + OVERSCAN);
  const shown = new Set(Array.from({ length: Math.max(0, end - first) }, (_, index) => first + index));
  // The active row always exists: assistive technology follows it by its id.
  if (active >= 0 && active < count) shown.add(active);
  const onScroll = ({ currentTarget }: Event) => setView({ top: (currentTarget as HTMLElement).scrollTop, height });
  return (
    <div {...attributes} ref={box} onScroll={onScroll}>
      {header}
      <div class="rows" role="presentation" style={{ height: `${count * rowHeight}px` }}>
        {[...shown].sort((a, b) => a - b).map((index) => row(index, { top: `${index * rowHeight}px`, height: `${rowHeight}px` }))}
      </div>
    </div>
  );
}
