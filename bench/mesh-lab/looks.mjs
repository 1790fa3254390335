// A look at the whole mesh at one moment: which links both ends hold, and what comes of them.

/** A page that announced itself so long ago is expected to be in the mesh. */
export const SETTLED_MS = 30_000;
/** Below so many links the library dials by itself (`connectivityFloor`). */
const FLOOR = 3;
const HEAD_DIGITS = 8;

/** What one look counts. `pages`: those that are there. `pagesById`: those of all times. */
export function lookAt(pages, pagesById, now) {
  const announced = pages.filter((page) => page.announcedAt !== null);
  const links = new Map(announced.map((page) => [page, [...new Set(page.linked())]]));
  const isSettled = (page) => now - page.announcedAt >= SETTLED_MS;
  const look = {
    pages: announced.length,
    ends: 0,
    settled: 0,
    ...piecesOf(announced, links, isSettled),
    kinds: {},
    acquaintance: newAcquaintance(),
  };
  for (const page of announced) {
    const own = links.get(page).length;
    const kind = (look.kinds[page.kind.label] ??= { pages: 0, ends: 0, settled: 0, lone: 0 });
    for (const counted of [look, kind]) counted.ends += own;
    kind.pages += 1;
    if (!isSettled(page)) continue;
    look.settled += 1;
    kind.settled += 1;
    kind.lone += own ? 0 : 1;
    addAcquaintance(look.acquaintance, page, own, pagesById);
  }
  return look;
}

/** How many pieces the mesh has that somebody settled is in, and how large the largest is. */
function piecesOf(pages, links, isSettled) {
  const found = { pieces: 0, lone: 0, largest: 0 };
  const seen = new Set();
  for (const start of pages) {
    if (seen.has(start)) continue;
    const piece = reachable(start, links, seen);
    const settled = piece.filter(isSettled).length;
    if (!settled) continue;
    found.pieces += 1;
    found.lone += piece.length === 1 ? 1 : 0;
    found.largest = Math.max(found.largest, settled);
  }
  return found;
}

function reachable(start, links, seen) {
  const piece = [start];
  seen.add(start);
  for (const page of piece) {
    for (const other of links.get(page) ?? []) {
      if (seen.has(other)) continue;
      seen.add(other);
      piece.push(other);
    }
  }
  return piece;
}

// ---- whom pages know

function newAcquaintance() {
  return {
    listed: 0, vanished: 0, marked: 0, held: 0, pending: 0,
    wanting: 0, wantingNobodyLeft: 0, wantingAllDialled: 0, poor: 0, poorNobodyLeft: 0,
  };
}

function addAcquaintance(sums, page, own, pagesById) {
  const { connectionManager: manager, peerDiscovery: list } = page.mesh;
  const known = [...list.discoveredPeers.keys()];
  const isThere = (id) => pagesById.has(id) && !pagesById.get(id).isLeaving;
  const unlinked = known.filter((id) => !manager.hasPeer(id));
  const free = unlinked.filter((id) => !list.isAttemptingConnection(id));
  sums.listed += known.length;
  sums.vanished += known.filter((id) => !isThere(id)).length;
  // A dial that was never answered leaves its mark, and is not repeated.
  sums.marked += unlinked.length - free.length;
  sums.held += manager.getConnectedPeerCount();
  sums.pending += manager.peers.size - manager.getConnectedPeerCount();
  const hasNobodyLeft = free.length === 0 ? 1 : 0;
  if (own < page.kind.links) {
    sums.wanting += 1;
    sums.wantingNobodyLeft += hasNobodyLeft;
    sums.wantingAllDialled += free.some((id) => !page.dialled.has(id)) ? 0 : 1;
  }
  if (own < Math.min(FLOOR, page.kind.links)) {
    sums.poor += 1;
    sums.poorNobodyLeft += hasNobodyLeft;
  }
}

// ---- distances: costly, so not at each look

/** How far apart two pages of the largest piece are at most, in links; and the mean rank of linked pages. */
export function distances(pages) {
  const announced = pages.filter((page) => page.announcedAt !== null);
  const links = new Map(announced.map((page) => [page, [...new Set(page.linked())]]));
  const seen = new Set();
  let largest = [];
  for (const page of announced) {
    const piece = seen.has(page) ? [] : reachable(page, links, seen);
    if (piece.length > largest.length) largest = piece;
  }
  if (largest.length < 2) return null;
  return { far: Math.max(...largest.map((page) => eccentricity(page, links))), rank: meanRank(announced, links) };
}

function eccentricity(start, links) {
  let edge = [start];
  const seen = new Set(edge);
  for (let far = 0; ; far++) {
    const next = [];
    for (const page of edge) {
      for (const other of links.get(page) ?? []) {
        if (seen.has(other)) continue;
        seen.add(other);
        next.push(other);
      }
    }
    if (!next.length) return far;
    edge = next;
  }
}

/** Where a linked page stands in the order of XOR distance: 0 is the nearest, 0.5 is as by chance. */
function meanRank(pages, links) {
  const heads = new Map(pages.map((page) => [page, parseInt(page.id.slice(0, HEAD_DIGITS), 16)]));
  const ranks = [];
  for (const page of pages) {
    const distance = (other) => (heads.get(page) ^ heads.get(other)) >>> 0;
    for (const other of links.get(page)) {
      const nearer = pages.filter((third) => third !== page && distance(third) < distance(other)).length;
      ranks.push(nearer / Math.max(1, pages.length - 2));
    }
  }
  return ranks.length ? ranks.reduce((total, rank) => total + rank, 0) / ranks.length : null;
}
