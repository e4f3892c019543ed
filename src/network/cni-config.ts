/** The CNI network of one node. */
export interface PodNetwork {
  /** This node's pods, `10.244.0.0/24`. */
  readonly podCidr: string;
  readonly bridge: string;
  /** That of the way out of this node: packets of pods must not be larger. 0: the kernel's default. */
  readonly mtu: number;
  /** Where host-local keeps which address is whose. */
  readonly ipamDirectory: string;
}

/**
 * The CNI configuration list for containerd. A bridge with addresses from this node's range and nothing else: masquerading and host ports are
 * rules of ours (they cost the bridge and portmap plugins tens of milliseconds a pod).
 */
export function cniConfig(network: PodNetwork): string {
  const config = {
    cniVersion: '0.4.0',
    name: 'k8ts',
    plugins: [
      {
        type: 'bridge',
        bridge: network.bridge,
        isGateway: true,
        isDefaultGateway: true,
        ipMasq: false,
        hairpinMode: true,
        forceAddress: true,
        ...(network.mtu > 0 ? { mtu: network.mtu } : {}),
        ipam: { type: 'host-local', dataDir: network.ipamDirectory, ranges: [[{ subnet: network.podCidr }]] },
      },
    ],
  };
  return `${JSON.stringify(config, undefined, 2)}\n`;
}
