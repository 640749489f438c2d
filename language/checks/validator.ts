/** Runs the checks of a file. They walk the tree themselves, once, so Langium's own walk over every node is left out. */
import { Cancellation, DefaultDocumentValidator, type AstNode, type ValidationAcceptor, type ValidationOptions } from 'langium';

export class FileValidator extends DefaultDocumentValidator {
  protected override async validateAstNodes(root: AstNode, options: ValidationOptions, acceptor: ValidationAcceptor, cancel = Cancellation.CancellationToken.None): Promise<void> {
    for (const check of this.validationRegistry.getChecks(root.$type, options.categories)) await check(root, acceptor, cancel);
  }
}
