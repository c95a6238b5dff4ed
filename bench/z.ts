import { emptyDatabase } from "./lib/ours.ts"
const pg = await emptyDatabase()
await pg.exec(`create table t (id uuid primary key, company_id uuid, user_id uuid, role text, settings jsonb, created_at timestamptz, updated_at timestamptz);
insert into t select gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'x', '{"a":1}', now(), now() from generate_series(1,20000);
create schema espalier; create table espalier.i (id int primary key, off text, up float8, held int, complete bool, lsn int8, op int8, txid int8, snapshot int, a text, b text, c text, d jsonb, k text unique);
insert into espalier.i values (1,'0',0,0,true,0,0,0); analyze; checkpoint; set enable_seqscan=off; set enable_hashjoin=off; set plan_cache_mode=force_generic_plan`)
const ids = (await pg.query<{id:string}>("select id::text from t")).rows.map(r=>r.id)
const enc = new TextEncoder()
class W { b=new Uint8Array(1<<14); n=0
 u8(v:number){this.b[this.n++]=v} i16(v:number){this.u8(v>>8);this.u8(v)} i32(v:number){this.i16(v>>16);this.i16(v)}
 s(t:string){const e=enc.encode(t);this.b.set(e,this.n);this.n+=e.length} cs(t:string){this.s(t);this.u8(0)}
 begin(l:string){this.u8(l.charCodeAt(0));const m=this.n;this.n+=4;return m} end(m:number){const n=this.n;this.n=m;this.i32(n-m);this.n=n}
 parse(name:string,sql:string){const m=this.begin("P");this.cs(name);this.cs(sql);this.i16(0);this.end(m)}
 bind(name:string,ps:(string|null)[]){let m=this.begin("B");this.u8(0);this.cs(name);this.i16(0);this.i16(ps.length);for(const p of ps){if(p===null)this.i32(-1);else{const k=this.n;this.n+=4;this.s(p);const n=this.n;this.n=k;this.i32(n-k-4);this.n=n}}this.i16(0);this.end(m);m=this.begin("E");this.u8(0);this.i32(0);this.end(m)}
 sync(){this.end(this.begin("S"))} out(){return this.b.slice(0,this.n)} }
const prep = async (n:string,s:string)=>{const w=new W();w.parse(n,s);w.sync();await pg.execProtocol(w.out(),{syncToFs:false})}
await prep("set2","select set_config('espalier.syncing', 'on', true), set_config('plan_cache_mode', 'force_generic_plan', true)")
await prep("set1","select set_config('espalier.syncing', 'on', true)")
await prep("upd","update t set role=$2, updated_at=$3 where id=$1")
await prep("updd",`with app as (update t set role=$2, updated_at=$3 where id=$1 and row(role,updated_at)::record *<> row($2::text,$3::timestamptz)::record returning 1) select (select count(*) from app)::int4 as updated, 1/(case when exists (select 1 from app) then 1 when exists (select 1 from t where id=$1) then 1 else 0 end) as guard`)
await prep("updf",`with app as (update t set role=$2, updated_at=$3 where id=$1 and (role is distinct from $2 or updated_at is distinct from $3) returning 1) select (select count(*) from app)::int4 as updated, 1/(case when exists (select 1 from app) then 1 when exists (select 1 from t where id=$1) then 1 else 0 end) as guard`)
await prep("updc",`with app as (update t set role=$2, updated_at=$3 where id=$1 and row(role,updated_at)::record *<> row($2::text,$3::timestamptz)::record returning 1) select 1/(case when exists (select 1 from app) then 1 else 0 end)`)
await prep("ck","update espalier.i set off=$2, up=$3, held=$4, complete=$5, lsn=$6,op=$7,txid=$8 where id=$1")
await prep("ck1","update espalier.i set off=$2, lsn=$3 where id=$1")
await prep("one",`with app as (update t set role=$2, updated_at=$3 where id=$1 and row(role,updated_at)::record *<> row($2::text,$3::timestamptz)::record returning 1) update espalier.i set off=$5, up=$6, held=$7,complete=$8,lsn=$9,op=$10,txid=$11 where id=$4 and 1/(case when exists (select 1 from app) then 1 when exists (select 1 from t where id=$1) then 1 else 0 end) = 1`)
await prep("sel","select 1")
let k=0
const now = () => [ids[(k*7919)%20000]!, `role ${k++}`, `2025-01-01 00:00:00.${String(k%1000).padStart(3,"0")}+00`]
const ck=()=>["1",`${k}_1`,"123456","20000","t","5","6","7"]
const variants: Record<string,(w:W)=>void> = {
 sel: w=>w.bind("sel",[]), upd: w=>w.bind("upd",now()), updd: w=>w.bind("updd",now()), updf: w=>w.bind("updf",now()), updc: w=>w.bind("updc",now()), ck: w=>w.bind("ck",ck()), ck1: w=>w.bind("ck1",["1",`${k++}_1`,`${k}`]), set1: w=>w.bind("set1",[]), set2: w=>w.bind("set2",[]),
 "set2+updd+ck": w=>{w.bind("set2",[]);w.bind("updd",now());w.bind("ck",ck())},
 "set1+upd+ck": w=>{w.bind("set1",[]);w.bind("upd",now());w.bind("ck",ck())},
 "set2+one": w=>{w.bind("set2",[]);w.bind("one",[...now(),...ck()])},
}
const times: Record<string,number[]> = Object.fromEntries(Object.keys(variants).map(k=>[k,[]]))
for (let r=0;r<800;r++) { if (r%200===0) { await pg.exec("vacuum t"); await pg.exec("vacuum espalier.i"); await pg.exec("checkpoint") } for (const [n,f] of Object.entries(variants)) { const w=new W();f(w);w.sync();const b=w.out();const t=performance.now();await pg.execProtocol(b,{syncToFs:false}); times[n]!.push((performance.now()-t)*1000)}}
for (const [n,a] of Object.entries(times)) { a.splice(0,100); a.sort((x,y)=>x-y); console.log(n.padEnd(14),"p10",a[a.length/10|0]!.toFixed(0),"median",a[a.length>>1]!.toFixed(0)) }
process.exit(0)
