/** What the tests of the language share. */
import { EmptyFileSystem, URI, type LangiumDocument } from 'langium';
import { createIommuServices } from '../../language/editor/index.js';
import { lowerDocument, problemsIn, type Lowered, type Problem } from '../../language/index.js';
import type { MachineDescription, StepDescription } from '../../server/simulator/description.js';

export const URI_A = 'file:///a.iommu';

/** One set of services for many documents. */
export class Workspace {
  readonly services = createIommuServices(EmptyFileSystem);
  private count = 0;

  async open(text: string, uri = `file:///${this.count++}.iommu`, validation = false): Promise<LangiumDocument> {
    const { LangiumDocumentFactory, LangiumDocuments, DocumentBuilder } = this.services.shared.workspace;
    const document = LangiumDocumentFactory.fromString(text, URI.parse(uri));
    LangiumDocuments.addDocument(document);
    await DocumentBuilder.build([document], { validation });
    return document;
  }

  async lowered(text: string): Promise<Lowered> {
    const document = await this.open(text);
    const lowered = lowerDocument(document, this.services);
    this.close(document);
    return lowered;
  }

  close(document: LangiumDocument): void {
    this.services.shared.workspace.LangiumDocuments.deleteDocument(document.uri);
  }
}

const shared = new Workspace();

/** Lowers and checks one text; by one set of services for all tests of a file, because making a parser takes longer than parsing a page. */
export async function parse(text: string): Promise<{ lowered: Lowered; problems: Problem[]; description: MachineDescription }> {
  const document = await shared.open(text, URI_A, true);
  const lowered = lowerDocument(document, shared.services);
  const problems = problemsIn(document);
  shared.close(document);
  return { lowered, problems, description: lowered.description };
}

/** `code: message` of everything that was found. */
export async function problemsOf(text: string): Promise<string[]> {
  return (await parse(text)).problems.map((problem) => `${problem.code}: ${problem.message}`);
}

/** A description of a text that must have no problems. */
export async function described(text: string): Promise<MachineDescription> {
  const { description, problems } = await parse(text);
  if (problems.length > 0) throw new Error(problems.map((problem) => `${problem.range.start.line + 1}: ${problem.message}`).join('\n'));
  return description;
}

export async function steps(text: string): Promise<StepDescription[]> {
  const description = await described(text);
  return description.scenarios.flatMap((scenario) => scenario.actions).filter((action) => action.kind === 'step');
}

/** A host with what most tests need. */
export const DESK = `host desk {
  kernel 6.12 cmdline "amd_iommu=on"
  memory 0 .. 0x9_ffff, 4GiB size 4GiB
  iommu ivhd0 : amd-vi { covers rest }
  root-port slot1 at 00:01.1 {
    acs SV, RR, CR, UF
    function gpu at 01:00.0 { id 10de:2484  class vga  driver nvidia  bar 0 at 0xfc00_0000 size 16MiB }
    function audio at 01:00.1 { class audio }
  }
  root-port slot2 at 00:02.0 { function nic at 02:00.0 { sriov vfs 4 of 8 offset 128 stride 2 } }
  integrated usb at 00:14.0 { class xhci }
  mdev vgpu0 on gpu : software
}
`;
