import { emptyDatabase, openOurs, wideInstance } from "./lib/ours.ts"
import { snapshotOf, wideRows, wideDdl } from "./lib/wideRows.ts"
import { applySnapshot } from "./suites/store/apply.ts"
import { copyFrom, csvOf } from "./peers/rawCopy.ts"
const rows = wideRows(50000); const half = rows.filter((_,i)=>i%2===0); const messages=snapshotOf(rows); const csv = csvOf(rows)
for (let round=0;round<3;round++){
{ const p = await emptyDatabase(); await p.exec(wideDdl("plain")); const t=performance.now(); await copyFrom(p,"plain",csv,"csv"); console.log("csv", (performance.now()-t).toFixed(0)); await p.close() }
for (const overlap of [false,true]) {
const pg = await emptyDatabase()
let calls=0, inside=0; const slow: string[]=[]
const orig = pg.execProtocol.bind(pg)
;(pg as any).execProtocol = async (m:Uint8Array,o:any)=>{const t=performance.now();calls++;try{return await orig(m,o)}finally{const d=performance.now()-t;inside+=d; if(d>8) slow.push(d.toFixed(0)+"ms "+m.length+" "+new TextDecoder().decode(m).replace(/[^ -~]/g,"").replace(/espalier_1_\d+/g,"").slice(0,90))}}
const ours = await openOurs(pg)
if (overlap) await applySnapshot(ours.commit, wideInstance("other","other"), snapshotOf(half))
calls=0;inside=0;slow.length=0
const t=performance.now(); await applySnapshot(ours.commit, wideInstance("one","one"), messages)
console.log(overlap?"overlap":"disjoint",(performance.now()-t).toFixed(0),"in pg",inside.toFixed(0),"calls",calls); if (round===2) console.log(slow.join("\n"))
await pg.close()
}}
process.exit(0)
