/**
 * The service proxy: watches Services and EndpointSlices and keeps the rules of this node in one nftables table.
 * What the rules shall be is a pure function of what was observed (`buildRuleset`), as is the way from the old to the new (`rulesetCommands`);
 * only `nft.ts` and `conntrack.ts` touch the machine.
 */
export { createNft, type Nft } from './nft.ts';
export { createServiceProxy, PROXY_TABLE, type ProxyState, type ServiceProxy } from './proxy.ts';
