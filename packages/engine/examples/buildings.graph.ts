/**
 * A chain of five levels (regions, sites, buildings, rooms, sensors) with diamonds: rooms and sensors also arrive by a person's
 * favourites, and sensors once more by site; which rooms, the client chooses by their size. Exists to show, and to simulate, how deep and how overlapping a graph may be.
 */
import { client, eq, Graph, gte, identity, param } from "@espalier/engine/graph"

export const graph = Graph.make({
  name: "buildings",
  params: { userId: identity("text"), minSeats: client("int4") },
  tables: {
    access: { columns: { id: "int4", user_id: "text", region_id: "text?" } },
    favourites: { columns: { user_id: "text", room_id: "text" }, primaryKey: ["user_id", "room_id"] },
    regions: { columns: { id: "text", name: "text" } },
    sites: { columns: { id: "text", region_id: "text", name: "text" } },
    buildings: { columns: { id: "text", site_id: "text?", name: "text" } },
    rooms: { columns: { id: "text", building_id: "text", name: "text", seats: "int4" } },
    sensors: { columns: { id: "int8", room_id: "text", value: "numeric", label: "text?" } },
  },
  nodes: {
    access: {
      table: "access",
      where: eq("user_id", param("userId")),
      key: "user-{userId}-access",
      priority: 5,
    },
    regions: { table: "regions", parent: "access", on: { id: "region_id" }, key: "region-{id}" },
    sites: { table: "sites", parent: "regions", on: { region_id: "id" }, key: "region-{id}-sites" },
    buildings: { table: "buildings", parent: "sites", on: { site_id: "id" }, key: "site-{id}-buildings" },
    rooms: {
      table: "rooms",
      parent: "buildings",
      on: { building_id: "id" },
      where: gte("seats", param("minSeats")),
      key: "building-{id}-rooms",
    },
    sensors: {
      table: "sensors",
      parent: "rooms",
      on: { room_id: "id" },
      per: "buildings",
      key: "building-{id}-sensors",
    },
    siteSensors: {
      table: "sensors",
      parent: "rooms",
      on: { room_id: "id" },
      per: "sites",
      key: "site-{id}-sensors",
      sync: "onDemand",
    },
    favourites: {
      table: "favourites",
      where: eq("user_id", param("userId")),
      key: "user-{userId}-favourites",
    },
    favouriteRooms: { table: "rooms", parent: "favourites", on: { id: "room_id" }, key: "room-{id}" },
    favouriteSensors: {
      table: "sensors",
      parent: "favouriteRooms",
      on: { room_id: "id" },
      key: "room-{id}-sensors",
    },
  },
})
