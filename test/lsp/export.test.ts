import { afterAll, beforeAll, expect, it } from 'vitest';
import { EXPORT_CHOICES_REQUEST, EXPORT_REQUEST, type ExportChoices, type ExportResult } from '../../server/protocol.js';
import { NOT_VIABLE, VIABLE } from '../samples.js';
import { Client } from './client.js';

let client: Client;
beforeAll(async () => { client = await Client.start(); });
afterAll(async () => { await client.stop(); });

const opened = async (name: string, text: string): Promise<string> => {
  const uri = `file:///export-${name}.iommu`;
  await client.open(uri, text);
  return uri;
};

it('offers owners, and says which of them do not start', async () => {
  const choices = await client.request<ExportChoices>(EXPORT_CHOICES_REQUEST, { uri: await opened('both', `${NOT_VIABLE}vm other on desk { memory 1GiB }\n`) });
  expect(choices.owners.map(({ name, kind, host, problem }) => [name, kind, host, problem === undefined])).toEqual([['win11', 'vm', 'desk', false], ['other', 'vm', 'desk', true]]);
  expect(choices.targets.map(({ name }) => name)).toEqual(['cmdline', 'modprobe', 'driverctl', 'qemu', 'libvirt']);
});

it('gives the text and its language', async () => {
  const uri = await opened('good', VIABLE);
  const xml = await client.request<ExportResult>(EXPORT_REQUEST, { uri, owner: 'win11', target: 'libvirt' });
  expect(xml).toMatchObject({ language: 'xml', text: expect.stringContaining("<driver iommufd='yes'/>") });
  expect(await client.request<ExportResult>(EXPORT_REQUEST, { uri, owner: 'win11', target: 'qemu' })).toMatchObject({ language: 'shellscript' });
});

it('refuses with the reason', async () => {
  const result = await client.request<ExportResult>(EXPORT_REQUEST, { uri: await opened('bad', NOT_VIABLE), owner: 'win11', target: 'qemu' });
  expect('error' in result && result.error).toContain('EPERM');
});

it('knows nothing of files that are not there', async () => {
  expect(await client.request<ExportChoices | null>(EXPORT_CHOICES_REQUEST, { uri: 'file:///nowhere.iommu' })).toBeNull();
  expect(await client.request<ExportResult>(EXPORT_REQUEST, { uri: 'file:///nowhere.iommu', owner: 'a', target: 'qemu' })).toEqual({ error: 'the file is not open' });
});
