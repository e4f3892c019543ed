/** A thread that reads long YAML: see `yaml-reader.ts`, which starts it. */
import { parentPort } from 'node:worker_threads';
import { StatusError } from '../../api/meta/status.ts';
import { parseYaml } from '../../api/wire/yaml.ts';
import type { YamlAnswer } from './yaml-reader.ts';

function read(text: string): YamlAnswer {
  try {
    const { value, duplicateFields } = parseYaml(text);
    // Quicker to take over than a copy of the value.
    return { json: JSON.stringify(value), duplicateFields };
  } catch (err) {
    if (err instanceof StatusError) return { status: err.status };
    throw err;
  }
}

parentPort?.on('message', (text: string) => parentPort?.postMessage(read(text)));
