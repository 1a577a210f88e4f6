import { connect } from "/wsproto.js";

// A list that somebody shares appears at once.
connect("/ws/").on("list.shared", ({ id, name, by }) => {
  if (document.querySelector(`#lists a[href="/lists/${id}/"]`)) return;
  const item = document.createElement("li");
  const link = document.createElement("a");
  const owner = document.createElement("span");
  link.href = `/lists/${id}/`;
  link.textContent = name;
  owner.textContent = `of ${by}`;
  item.append(link, " ", owner);
  document.getElementById("lists").append(item);
});
