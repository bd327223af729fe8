import time


async def test_x(csms, station):
    t = time.time()
    box = await station(connectors={"count": 2})
    print("up", time.time() - t)
    await csms.status(1, "Available")
    print("avail", time.time() - t)
    await box.plug()
    print("plugged", time.time() - t)
    await csms.status(1, "Preparing")
    print("prep", time.time() - t)
    await box.swipe("AAA")
    await csms.status(1, "Charging")
    print("charging", time.time() - t)
    await box.swipe("AAA")
    await csms.status(1, "Finishing")
    print("fin", time.time() - t)
    await box.unplug()
    await csms.status(1, "Available")
    print("av", time.time() - t)
    print(csms.transcript.text())
    print(await box.state())
