/** Steady requests from inside the cluster, over kept connections, and what became of each of them. */
import { apply, get, inNotebook, kubectl, required, until } from './cluster';

/**
 * Runs until /tmp/stop is there. A connection that is kept is opened anew only where its server said that it closes it;
 * one that is not is for a single request.
 */
const client = `
import http.client, json, os, sys, threading, time

host, body, senders, pause, keep = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), sys.argv[5] == "keep"
answers, failures, opened, lock = [0], [], [0], threading.Lock()

def fail(kind, began, said, **more):
    with lock:
        at = time.strftime("%H:%M:%S", time.gmtime())
        failures.append({"kind": kind, "said": said, "at": at, "seconds": round(time.time() - began, 2), **more})

def open_connection(began):
    connection = http.client.HTTPConnection(host, timeout=120)
    try:
        connection.connect()
    except OSError as error:
        return fail("refused", began, f"{type(error).__name__}: {error}")
    with lock:
        opened[0] += 1
    return connection

def code_of(text):
    try:
        return json.loads(text)["error"]["code"]
    except (ValueError, KeyError, TypeError):
        return None

def count():
    with lock:
        answers[0] += 1
        with open("/tmp/next", "w") as file:
            file.write(str(answers[0]))
        os.replace("/tmp/next", "/tmp/answers")

def send():
    connection = None
    while not os.path.exists("/tmp/stop"):
        began = time.time()
        connection = connection or open_connection(began)
        try:
            if connection is not None:
                connection.request("POST", "/v1/images/generations", body, {"content-type": "application/json"})
                answer = connection.getresponse()
                text = answer.read()
                if answer.status == 200:
                    count()
                else:
                    more = {"status": answer.status, "code": code_of(text), "retryAfter": answer.getheader("retry-after")}
                    fail("answer", began, text[:300].decode(errors="replace"), **more)
                if not keep or answer.getheader("connection", "").lower() == "close":
                    connection.close()
                    connection = None
        except (OSError, http.client.HTTPException) as error:
            fail("broken", began, f"{type(error).__name__}: {error}")
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

export type Failure = {
  /**
   * refused: no connection, so that nothing can have been accepted. broken: the connection ended before the whole
   * answer. answer: another status than 200.
   */
  kind: 'refused' | 'broken' | 'answer';
  said: string;
  /** When it failed, by the node's clock (UTC), and how long after the request had begun. */
  at: string;
  seconds: number;
  status?: number;
  /** Of an error's JSON; null where the body is none. */
  code?: string | null;
  retryAfter?: string | null;
};

export type Traffic = { answers: number; failures: Failure[]; connections: number };
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

/** Ends the traffic once each request has its answer, and removes its pod. */
export async function endTraffic(namespace: string, name = 'traffic'): Promise<Traffic> {
  await kubectl(['-n', namespace, 'exec', name, '--', 'touch', '/tmp/stop']);
  await until(
    () => get<ClientPod>(namespace, `pod/${name}`),
    ({ status }) => status.phase === 'Succeeded',
    'the end of the traffic',
  );
  const said = JSON.parse(await kubectl(['-n', namespace, 'logs', name])) as Traffic;
  await kubectl(['-n', namespace, 'delete', 'pod', name]);
  return said;
}

/** Returns once so many more requests have been answered. */
export async function moreAnswers(namespace: string, count: number, name = 'traffic'): Promise<void> {
  const read = async () => {
    const file = ['-n', namespace, 'exec', name, '--', 'cat', '/tmp/answers'];
    return Number(await kubectl(file).catch(() => '0'));
  };
  const before = await read();
  await until(read, (now) => now >= before + count, `${count} more answers`);
}

const question = `
import http.client, json, sys, time
began = time.time()
connection = http.client.HTTPConnection(sys.argv[1], timeout=180)
connection.request("POST", "/v1/images/generations", '{"prompt": "a photo of a bag"}', {"content-type": "application/json"})
answer = connection.getresponse()
text = answer.read()
held = answer.getheader("x-sparsedm-held-seconds")
print(json.dumps({"began": 1000 * began, "held": float(held or 0), "seconds": round(time.time() - began, 1)}))
assert answer.status == 200, text[:300]
`;

/** When a request began, in milliseconds since the epoch; for how long a gateway held it, and until its answer. */
export type Asked = { began: number; held: number; seconds: number };

/** One request from a pod called `name`, over a connection of its own, which must be answered with images. */
export async function askOnce(namespace: string, name: string, host: string): Promise<Asked> {
  await inNotebook(namespace, name, 'python', '-c', question, host);
  return JSON.parse(await kubectl(['-n', namespace, 'logs', name])) as Asked;
}

/** As a drain of its node does. Rejects where a PodDisruptionBudget forbids it. */
export async function evict(namespace: string, pod: string): Promise<void> {
  const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: pod, namespace } };
  const path = `/api/v1/namespaces/${namespace}/pods/${pod}/eviction`;
  await kubectl(['create', '--raw', path, '-f', '-'], JSON.stringify(eviction));
}

/** Evicts pods one after another, each as soon as it is allowed; returns why it was not, each time that it wasn't. */
export async function drain(namespace: string, pods: readonly string[]): Promise<string[]> {
  const refusals: string[] = [];
  for (const pod of pods) {
    const isEvicted = () =>
      evict(namespace, pod).then(
        () => true,
        (error: unknown) => {
          refusals.push(String(error));
          return false;
        },
      );
    await until(isEvicted, Boolean, `the eviction of ${pod}`, 180_000);
  }
  return refusals;
}
