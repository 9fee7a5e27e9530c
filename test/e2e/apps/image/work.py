"""Counts in its memory. The first argument names what else it does: numpy, torch, dask, sqlite."""
import os
import sys
import time
import uuid

BEGUN = uuid.uuid4().hex


def tell(count, failed=0):
    with open("/state.new", "w") as state:
        state.write(f"{BEGUN} {count} {failed}\n")
    os.rename("/state.new", "/state")


def numpy():
    import numpy as np

    values = np.random.default_rng(1).random((1024, 1024))
    total = values.sum()
    for count in range(1 << 60):
        values = np.roll(values, 1, axis=count % 2)
        tell(count, int(not np.isclose(values.sum(), total)))


def torch():
    import torch
    from torch.utils.data import DataLoader, Dataset

    class Numbers(Dataset):
        values = torch.arange(4 << 20, dtype=torch.float32)

        def __len__(self):
            return 100_000_000

        def __getitem__(self, index):
            time.sleep(0.001)
            return self.values[index % len(self.values)]

    wrong = 0
    for count, batch in enumerate(DataLoader(Numbers(), batch_size=8, num_workers=2)):
        wrong += int(batch[0].item() != float((count * 8) % (4 << 20)))
        tell(count, wrong)


def dask():
    from distributed import Client, LocalCluster

    cluster = LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None)
    client = Client(cluster)
    wrong = 0
    for count in range(1 << 60):
        wrong += int(client.submit(lambda x: x + 1, count).result() != count + 1)
        tell(count, wrong)


def sqlite(journal="delete"):
    import sqlite3

    base = sqlite3.connect("/data.sqlite")
    base.execute(f"pragma journal_mode={journal}")
    base.execute("create table numbers (number integer primary key)")
    for count in range(1 << 60):
        base.execute("insert into numbers values (?)", (count,))
        base.commit()
        if count % 50 == 0:
            lost = count + 1 - base.execute("select count(*) from numbers").fetchone()[0]
            tell(count, lost)


def jupyter():
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel()
    client.execute_interactive("begun = 0")
    wrong = 0
    for count in range(1, 1 << 60):
        # What it prints is no measure: some of that is missing in a kernel that is never moved, too.
        reply = client.execute_interactive("begun += 1", user_expressions={"n": "begun"}, timeout=60)
        wrong += int(reply["content"]["user_expressions"]["n"]["data"]["text/plain"] != str(count))
        tell(count, wrong)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
