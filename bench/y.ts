import { openOurs, wideInstance } from "./lib/ours.ts"
import { snapshotOf, wideRows } from "./lib/wideRows.ts"
import { applySnapshot } from "./suites/store/apply.ts"
import { Session } from "node:inspector/promises"
const messages=snapshotOf(wideRows(50000))
const run = async () => { const ours = await openOurs(); const c0=process.cpuUsage(); const t=performance.now(); await applySnapshot(ours.commit, wideInstance("one","one"), messages); const c=process.cpuUsage(c0); console.log("disjoint",(performance.now()-t).toFixed(0),"cpu",((c.user+c.system)/1000).toFixed(0)); await ours.close() }
await run(); await run()
const s=new Session(); s.connect(); await s.post("Profiler.enable"); await s.post("Profiler.setSamplingInterval",{interval:200}); 
const ours = await openOurs(); await s.post("Profiler.start"); { const t=performance.now(); await applySnapshot(ours.commit, wideInstance("one","one"), messages);console.log("disjoint",(performance.now()-t).toFixed(0)) } const {profile}=await s.post("Profiler.stop"); 
const self=new Map<string,number>(); const dt=profile.timeDeltas!; const byId=new Map(profile.nodes.map(n=>[n.id,n]));
profile.samples!.forEach((id,i)=>{const n=byId.get(id)!; const k=n.callFrame.functionName+" "+n.callFrame.url.split("/").slice(-2).join("/")+":"+n.callFrame.lineNumber; const key=k.includes("wasm")?"(wasm)":k; self.set(key,(self.get(key)??0)+dt[i]!)})
for (const [k,v] of [...self].sort((a,b)=>b[1]-a[1]).slice(0,24)) console.log((v/1000).toFixed(1).padStart(7),k)
process.exit(0)
