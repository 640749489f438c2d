import { toCompareView, type CompareState, type FromCompareView, type ToCompareView } from '../../server/protocol-compare.js';
import { editor } from '../view/editor.js';

export const { tell, listen, saveState, savedState } = editor<FromCompareView, ToCompareView, CompareState>(toCompareView);
