import threading

from fcis_ros.ros.mailbox import Mailbox


def test_the_newest_waits_and_the_others_are_counted():
    box = Mailbox()
    for item in (1, 2, 3):
        box.put(item)
    assert box.take() == 3
    assert (box.received, box.overwritten) == (3, 2)


def test_closing_ends_waiting_and_counts_what_was_left():
    box = Mailbox()
    taken = []
    thread = threading.Thread(target=lambda: taken.append(box.take()))
    thread.start()
    box.close()
    thread.join(timeout=5)
    assert taken == [None]
    box.put(1)
    assert box.take() is None


def test_nothing_is_lost_uncounted():
    box, taken = Mailbox(), []

    def consume():
        while (item := box.take()) is not None:
            taken.append(item)

    thread = threading.Thread(target=consume)
    thread.start()
    for item in range(1, 5001):
        box.put(item)
    box.close()
    thread.join(timeout=5)
    assert len(taken) + box.overwritten == box.received == 5000
    assert taken == sorted(taken)
