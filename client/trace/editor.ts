import { toView, type FromView, type ToView, type ViewState } from '../../server/protocol.js';
import { editor } from '../view/editor.js';

export const { tell, listen, saveState, savedState } = editor<FromView, ToView, ViewState>(toView);
