// Photos for the pictures of the page, kept while an element that brought them is on it.

const LINGER_MS = 5000; // a page is built anew in pieces: what its pictures still load must not vanish meanwhile
const brought = new WeakMap();

export default function ({ parentElement, data }) {
  const given = (window.skinlensPhotos ??= new Map());
  const { detail } = data;
  const forget = (id) => {
    const photo = given.get(id);
    if (!photo?.[detail] || photo.owners[detail].size) return;
    URL.revokeObjectURL(photo[detail]);
    delete photo[detail];
    if (!photo.small && !photo.full) given.delete(id);
  };
  const drop = (ids) => {
    for (const id of ids) given.get(id)?.owners[detail].delete(parentElement);
    setTimeout(() => ids.forEach(forget), LINGER_MS);
  };
  const [before, now] = [brought.get(parentElement) ?? [], Object.keys(data.photos)];
  brought.set(parentElement, now);
  for (const [id, encoded] of Object.entries(data.photos)) {
    const photo = given.get(id) ?? { owners: { small: new Set(), full: new Set() } };
    given.set(id, photo);
    photo.owners[detail].add(parentElement);
    if (photo[detail]) continue;
    const bytes = Uint8Array.from(atob(encoded), (character) => character.charCodeAt(0));
    photo[detail] = URL.createObjectURL(new Blob([bytes], { type: "image/jpeg" }));
  }
  drop(before.filter((id) => !now.includes(id)));
  document.dispatchEvent(new CustomEvent("skinlens-given"));
  return () => drop(now);
}
