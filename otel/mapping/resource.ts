import type { Alert } from '../alert.ts';
import * as name from '../attributes.ts';
import type { Resource } from '../otlp/resource.ts';
import { AttributeList, AttributeMap } from './attribute-list.ts';
import type { AlertContext } from './context.ts';
import { type Image, joinImage, joinLabels, parseImage, parseLabels } from './workload-text.ts';

/** Kinds of owners that the conventions have a name for. */
const OWNER_KINDS = new Set(['Deployment', 'DaemonSet', 'StatefulSet', 'ReplicaSet', 'Job', 'CronJob']);

/**
 * The workload an alert is about, or the host. It depends on workload fields and the pod's uid alone: make it once per
 * workload, encode it with `encodeResource`, and keep the bytes.
 */
export function toResource(alert: Alert, context: Pick<AlertContext, 'podUid'>): Resource {
  const list = new AttributeList();
  const labels = parseLabels(alert.Labels ?? '');
  const { Owner } = alert;
  list.text(
    name.SERVICE_NAME,
    labels.get('app.kubernetes.io/name') || Owner?.Name || alert.ContainerName || alert.HostName,
  );
  list.text(name.SERVICE_NAMESPACE, alert.NamespaceName);
  list.text(name.K8S_CLUSTER_NAME, alert.ClusterName);
  list.text(name.HOST_NAME, alert.HostName);
  list.text(name.K8S_NODE_NAME, alert.HostName);
  list.text(name.HOST_ID, alert.NodeID);
  list.text(name.K8S_NAMESPACE_NAME, alert.NamespaceName);
  list.text(name.K8S_POD_NAME, alert.PodName);
  list.text(name.K8S_POD_UID, context.podUid);
  if (Owner !== undefined) {
    if (OWNER_KINDS.has(Owner.Ref)) list.text(`k8s.${Owner.Ref.toLowerCase()}.name`, Owner.Name);
    list.text(name.OWNER_REF, Owner.Ref);
    list.text(name.OWNER_NAME, Owner.Name);
    list.text(name.OWNER_NAMESPACE, Owner.Namespace);
  }
  for (const [key, value] of labels) {
    list.pairs.push({ key: name.K8S_POD_LABEL + key, value: { kind: 'string', value } });
  }
  if (alert.Labels !== undefined && joinLabels(labels) !== alert.Labels) list.text(name.LABELS, alert.Labels);
  list.text(name.CONTAINER_ID, alert.ContainerID);
  list.text(name.K8S_CONTAINER_NAME, alert.ContainerName);
  list.text(name.CONTAINER_NAME, alert.ContainerName);
  if (alert.ContainerImage !== undefined) {
    const image = parseImage(alert.ContainerImage);
    list.text(name.CONTAINER_IMAGE_NAME, image.name);
    if (image.tag !== undefined) list.texts(name.CONTAINER_IMAGE_TAGS, [image.tag]);
    if (image.digest !== undefined) {
      list.texts(name.CONTAINER_IMAGE_REPO_DIGESTS, [`${image.name}@${image.digest}`]);
    }
  }
  return { attributes: list.pairs };
}

/** The fields of the alert that its resource carries; undefined is what is not there. */
export function fromResource(resource: Resource) {
  const map = new AttributeMap(resource.attributes);
  const Ref = map.text(name.OWNER_REF);
  const Name = map.text(name.OWNER_NAME);
  const Namespace = map.text(name.OWNER_NAMESPACE);
  return {
    ClusterName: map.text(name.K8S_CLUSTER_NAME),
    HostName: map.text(name.HOST_NAME),
    NodeID: map.text(name.HOST_ID),
    NamespaceName: map.text(name.K8S_NAMESPACE_NAME),
    PodName: map.text(name.K8S_POD_NAME),
    Labels: map.text(name.LABELS) ?? labelsOf(map),
    Owner: Ref && Name ? { Ref, Name, ...(Namespace === undefined ? {} : { Namespace }) } : undefined,
    ContainerID: map.text(name.CONTAINER_ID),
    ContainerName: map.text(name.K8S_CONTAINER_NAME),
    ContainerImage: imageOf(map),
  };
}

function labelsOf(map: AttributeMap): string | undefined {
  const labels = new Map<string, string>();
  for (const key of map.keys()) {
    if (!key.startsWith(name.K8S_POD_LABEL)) continue;
    const value = map.anyText(key);
    if (value !== undefined) labels.set(key.slice(name.K8S_POD_LABEL.length), value);
  }
  return labels.size === 0 ? undefined : joinLabels(labels);
}

function imageOf(map: AttributeMap): string | undefined {
  const image: Image = { name: map.text(name.CONTAINER_IMAGE_NAME) ?? '' };
  if (image.name === '') return undefined;
  const tag = map.texts(name.CONTAINER_IMAGE_TAGS)?.[0];
  const digest = map.texts(name.CONTAINER_IMAGE_REPO_DIGESTS)?.[0];
  if (tag !== undefined) image.tag = tag;
  if (digest !== undefined)
    image.digest = digest.startsWith(`${image.name}@`) ? digest.slice(image.name.length + 1) : digest;
  return joinImage(image);
}
