const container = (name: string, port: number): object => ({
  name,
  image: `registry.example.com/shop/${name}:v1.42.0`,
  imagePullPolicy: 'IfNotPresent',
  args: ['--listen', `:${port}`, '--log-format=json', '--shutdown-timeout=30s'],
  ports: [
    { name: 'http', containerPort: port, protocol: 'TCP' },
    { name: 'metrics', containerPort: port + 1, protocol: 'TCP' },
  ],
  env: [
    { name: 'POD_NAME', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.name' } } },
    { name: 'POD_IP', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'status.podIP' } } },
    { name: 'DATABASE_URL', valueFrom: { secretKeyRef: { name: 'database', key: 'url' } } },
    { name: 'FEATURES', value: 'search,checkout,recommendations' },
  ],
  resources: { requests: { cpu: '250m', memory: '128Mi' }, limits: { cpu: '1', memory: '512Mi' } },
  volumeMounts: [
    { name: 'config', mountPath: '/etc/shop', readOnly: true },
    { name: 'kube-api-access', mountPath: '/var/run/secrets/kubernetes.io/serviceaccount', readOnly: true },
  ],
  livenessProbe: {
    httpGet: { path: '/healthz', port: 'http', scheme: 'HTTP' },
    initialDelaySeconds: 10,
    timeoutSeconds: 1,
    periodSeconds: 10,
    successThreshold: 1,
    failureThreshold: 3,
  },
  readinessProbe: {
    httpGet: { path: '/readyz', port: port, scheme: 'HTTP' },
    timeoutSeconds: 1,
    periodSeconds: 5,
    successThreshold: 1,
    failureThreshold: 3,
  },
  terminationMessagePath: '/dev/termination-log',
  terminationMessagePolicy: 'File',
  securityContext: { runAsNonRoot: true, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
});

/** A pod as a Deployment's ReplicaSet would make it, of about 4 KB of JSON. */
export const realisticPod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name: 'checkout-6d4cf56db6-x7k2p',
    generateName: 'checkout-6d4cf56db6-',
    namespace: 'shop',
    uid: '0c0c0f6e-8a46-4f1c-9f7d-2f6a3a8c9b10',
    resourceVersion: '183742',
    creationTimestamp: '2026-03-14T15:09:26Z',
    labels: { app: 'checkout', tier: 'backend', 'pod-template-hash': '6d4cf56db6', 'app.kubernetes.io/part-of': 'shop' },
    annotations: { 'prometheus.io/scrape': 'true', 'prometheus.io/port': '8081' },
    ownerReferences: [
      {
        apiVersion: 'apps/v1',
        kind: 'ReplicaSet',
        name: 'checkout-6d4cf56db6',
        uid: '5a0cf2be-3a5d-4b63-8a9a-3c0a2b8f9d11',
        controller: true,
        blockOwnerDeletion: true,
      },
    ],
  },
  spec: {
    containers: [container('checkout', 8080), container('proxy', 9090)],
    volumes: [
      { name: 'config', configMap: { name: 'checkout', defaultMode: 420 } },
      {
        name: 'kube-api-access',
        projected: {
          defaultMode: 420,
          sources: [
            { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } },
            { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
          ],
        },
      },
    ],
    restartPolicy: 'Always',
    terminationGracePeriodSeconds: 30,
    dnsPolicy: 'ClusterFirst',
    serviceAccountName: 'checkout',
    nodeName: 'worker-3',
    securityContext: { fsGroup: 2000 },
    schedulerName: 'default-scheduler',
    tolerations: [
      { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 },
      { key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 },
    ],
    priority: 0,
    enableServiceLinks: true,
    preemptionPolicy: 'PreemptLowerPriority',
  },
  status: { phase: 'Pending', qosClass: 'Burstable' },
} as const;
