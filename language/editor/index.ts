/** What editors ask of the language, as other rooms see it. */
export { createIommuServices, type HoverWrapper, type IommuModule, type IommuServices } from './services.js';
export { declarationText, propertyText, verbText } from './hover.js';
export { IommuDocumentLinkProvider, type RulePage } from './links.js';
export { selectionRanges } from './selection.js';
