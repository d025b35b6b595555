import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Child, freePorts } from '@millwright/servers';

/** A series of an answer, with its last value. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Prometheus {
  /** Evaluates now. @throws Error with what Prometheus says of a query that it does not take */
  query(expr: string): Promise<readonly Sample[]>;
  /** Values of a label of the series that a selector chooses. */
  labelValues(label: string, selector: string): Promise<readonly string[]>;
  /** Exemplars of the series that a selector chooses, over the last minutes. */
  exemplars(selector: string): Promise<readonly { readonly labels: Readonly<Record<string, string>> }[]>;
  stop(): Promise<void>;
}

/** Starts a real Prometheus that scrapes the addresses every second. @param command path of prometheus @param ruleFiles recording rules */
export async function startPrometheus(command: string, targets: readonly string[], ruleFiles: readonly string[]): Promise<Prometheus> {
  const folder = mkdtempSync(join(tmpdir(), 'millwright-prometheus-'));
  const [port] = (await freePorts(1)) as [number];
  const config = { global: { scrape_interval: '1s', evaluation_interval: '1s' }, rule_files: ruleFiles, scrape_configs: [{ job_name: 'millwright', static_configs: [{ targets }] }] };
  // JSON is YAML.
  writeFileSync(join(folder, 'prometheus.yml'), JSON.stringify(config));
  const child = await Child.start({
    command,
    args: [`--config.file=${folder}/prometheus.yml`, `--storage.tsdb.path=${folder}/data`, `--web.listen-address=127.0.0.1:${port}`, '--enable-feature=exemplar-storage', '--log.level=warn'],
    logFile: join(folder, 'log'),
    outlive: false,
    temporary: folder,
  });
  const ask = async (path: string, parameters: Readonly<Record<string, string>>): Promise<unknown> => {
    const response = await fetch(`http://127.0.0.1:${port}/api/v1/${path}?${new URLSearchParams(parameters).toString()}`);
    const answer = (await response.json()) as { readonly status: string; readonly data?: unknown; readonly error?: string };
    if (answer.status !== 'success') throw new Error(answer.error);
    return answer.data;
  };
  return {
    async query(expr) {
      const { result } = (await ask('query', { query: expr })) as { readonly result: readonly { readonly metric: Sample['labels']; readonly value: readonly [number, string] }[] };
      return result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }));
    },
    labelValues: async (label, selector) => (await ask(`label/${label}/values`, { 'match[]': selector })) as readonly string[],
    async exemplars(selector) {
      const now = Date.now() / 1000;
      const series = (await ask('query_exemplars', { query: selector, start: `${now - 600}`, end: `${now}` })) as readonly { readonly exemplars: readonly { readonly labels: Readonly<Record<string, string>> }[] }[];
      return series.flatMap(({ exemplars }) => exemplars);
    },
    async stop() {
      await child.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
