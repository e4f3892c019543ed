import type { Ingress, IngressClass } from '../../api/types/networking-v1.ts';
import type { AdmissionPlugin, ResourceView } from '../contract.ts';
import { defaultClass } from './default-class.ts';
import { isWriteOf } from './targets.ts';

const GROUP = 'networking.k8s.io';
const annotations = ['ingressclass.kubernetes.io/is-default-class'];
const CLASS_ANNOTATION = 'kubernetes.io/ingress.class';

/** Gives ingresses that name no class the default one. */
export function defaultIngressClass(): AdmissionPlugin {
  let classes: ResourceView<IngressClass> | undefined;
  return {
    name: 'DefaultIngressClass',
    initialize: (access) => {
      classes = access.view<IngressClass>(GROUP, 'ingressclasses');
    },
    handles: (target) => isWriteOf(target, GROUP, 'ingresses', 'CREATE'),
    mutate: ({ object }) => {
      const ingress = object as Ingress;
      if (ingress.spec?.ingressClassName !== undefined) return ingress;
      if (ingress.metadata?.annotations?.[CLASS_ANNOTATION] !== undefined) return ingress;
      const name = defaultClass(classes?.list() ?? [], annotations)?.metadata?.name;
      return name === undefined ? ingress : ({ ...ingress, spec: { ...ingress.spec, ingressClassName: name } } as Ingress);
    },
  };
}
