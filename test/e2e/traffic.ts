/** Steady requests from inside the cluster, over kept connections, and what became of each of them. */
import { apply, get, kubectl, required, until } from './cluster';

/**
 * Runs until /tmp/stop is there. A connection that is kept is opened anew only where its server said that it closes it;
 * one that is not is for a single request.
 */
const client = `
import http.client, json, os, sys, threading, time

host, body, senders, pause, keep = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), sys.argv[5] == "keep"
answers, failures, opened, lock = [0], [], [0], threading.Lock()

def send():
    connection = None
    while not os.path.exists("/tmp/stop"):
        began = time.time()
        try:
            if connection is None:
                connection = http.client.HTTPConnection(host, timeout=120)
                connection.connect()
                with lock:
                    opened[0] += 1
            connection.request("POST", "/v1/images/generations", body, {"content-type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
            if answer.status != 200:
                raise ValueError(f"{answer.status} {text[:200]!r}")
            with lock:
                answers[0] += 1
            if not keep:
                connection.close()
            if not keep or answer.getheader("connection", "").lower() == "close":
                connection = None
        except Exception as error:
            with lock:
                failures.append(f"{type(error).__name__}: {error}, after {time.time() - began:.2f} s")
            connection = None
        time.sleep(pause)

threads = [threading.Thread(target=send) for _ in range(senders)]
for thread in threads:
    thread.start()
open("/tmp/started", "w").close()
for thread in threads:
    thread.join()
print(json.dumps({"answers": answers[0], "failures": failures, "connections": opened[0]}))
`;

type Traffic = { answers: number; failures: string[]; connections: number };
type ClientPod = { status: { phase: string; containerStatuses?: { ready: boolean }[] } };

export const senders = 3;

export type Requests = {
  /** Name of the pod that sends them; default traffic. */
  name?: string;
  /** That send a request each, one after another; default `senders`. */
  count?: number;
  /** Seconds between an answer and the next request; default 0.3. */
  pauseSeconds?: number;
  /** Whether a sender keeps its connection, and with it its server; default true. */
  keep?: boolean;
};

/** Returns when the first requests are on their way. */
export async function startTraffic(
  namespace: string,
  host: string,
  body: object,
  { name = 'traffic', count = senders, pauseSeconds = 0.3, keep = true }: Requests = {},
): Promise<void> {
  const how = [String(count), String(pauseSeconds), keep ? 'keep' : 'close'];
  const command = ['python', '-c', client, host, JSON.stringify(body), ...how];
  await apply(namespace, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: {
      restartPolicy: 'Never',
      securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [
        {
          name: 'client',
          image: required('SPARSEDM_SERVING_IMAGE'),
          command,
          readinessProbe: { exec: { command: ['test', '-f', '/tmp/started'] }, periodSeconds: 1 },
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
        },
      ],
    },
  });
  await kubectl(['-n', namespace, 'wait', `pod/${name}`, '--for=condition=Ready', '--timeout=60s']);
}

/** Ends the traffic once each request has its answer. */
export async function endTraffic(namespace: string, name = 'traffic'): Promise<Traffic> {
  await kubectl(['-n', namespace, 'exec', name, '--', 'touch', '/tmp/stop']);
  await until(
    () => get<ClientPod>(namespace, `pod/${name}`),
    ({ status }) => status.phase === 'Succeeded',
    'the end of the traffic',
  );
  return JSON.parse(await kubectl(['-n', namespace, 'logs', name])) as Traffic;
}

/** As a drain of its node does. */
export async function evict(namespace: string, pod: string): Promise<void> {
  const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: pod, namespace } };
  const path = `/api/v1/namespaces/${namespace}/pods/${pod}/eviction`;
  await kubectl(['create', '--raw', path, '-f', '-'], JSON.stringify(eviction));
}
