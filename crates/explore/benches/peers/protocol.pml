/* examples/protocol.rs once more, for SPIN: the same locks, the same steps, the same mistakes that could be made.
 * -DN=2 to 6: so many of a mask write, an assignment, a scan, another assignment, another mask write, an open.
 * -DDEADLOCK: an assignment takes the guests' lock before the masks'. -DTHEFT: a mask write lets the masks go between
 * its question and its change. In the end no queue of the host's driver may be assigned.
 * A lock is taken in one step; what is done under it until the next one is asked for is one step, too. */
#ifndef N
#define N 4
#endif
#define FREE 255
#define LOCK(lock) atomic { lock == FREE -> lock = _pid }
#define NONE 0
#define DEFAULT 1
#define VFIO 2
/* A set of queues: bit 2a+d of adapters and domains. */
#define SET(a, d) ((((a) & 1) -> (d) : 0) | ((((a) & 2) -> ((d) << 2) : 0)))
#define OWNER(q) (((SET(adapters, domains) >> (q)) & 1) -> DEFAULT : VFIO)
#define MATRIX(m) SET(matrix_adapters[m], matrix_domains[m])
#define NOT_STOLEN assert((guest_has & host_has) == 0)

byte scan_lock = FREE, perms_lock = FREE, guests_lock = FREE, mdevs_lock = FREE;
byte device_lock[4] = FREE, kvm_lock[2] = FREE;
byte adapters = 0, domains = 3;
byte driver[4] = VFIO;
bool there[4] = true;
bool open[2];
byte apcb[2];
byte matrix_adapters[2], matrix_domains[2];
byte bound = 15;
byte guest_has, host_has;

/* The APCB of a guest becomes another one; the guest has what is in it. */
inline set_apcb(g, new) {
    guest_has = (guest_has & ~(apcb[g] & ~(new))) | ((new) & ~apcb[g]);
    apcb[g] = new;
    NOT_STOLEN
}

/* A queue comes to vfio_ap or leaves it. guest: the one that is open, 2 if none is. */
inline bind(q, on) {
    LOCK(guests_lock);
    guest = (open[0] -> 0 : (open[1] -> 1 : 2));
    if :: guest < 2 -> LOCK(kvm_lock[guest]) :: else fi;
    LOCK(mdevs_lock);
    d_step {
        if :: on -> bound = bound | (1 << q) :: else -> bound = bound & ~(1 << q) fi;
        if :: guest < 2 -> new = MATRIX(guest) & bound; set_apcb(guest, new); kvm_lock[guest] = FREE :: else fi;
        mdevs_lock = FREE; guests_lock = FREE; guest = 0; new = 0
    }
}

inline reprobe(q) {
    LOCK(device_lock[q]);
    if
    :: driver[q] == VFIO -> bind(q, false)
    :: driver[q] == DEFAULT -> host_has = host_has & ~(1 << q)
    :: else
    fi;
    d_step { driver[q] = NONE; device_lock[q] = FREE };
    LOCK(device_lock[q]);
    if
    :: driver[q] == NONE && there[q] ->
        atomic { perms_lock == FREE -> want = OWNER(q) };
        if
        :: want == VFIO -> bind(q, true)
        :: else -> d_step { host_has = host_has | (1 << q); NOT_STOLEN }
        fi;
        driver[q] = want
    :: else
    fi;
    device_lock[q] = FREE
}

proctype Mask(byte added) {
    byte q, want, have, guest, new, fresh;
    bool busy, is_there;
    LOCK(perms_lock);
    fresh = SET(adapters | added, domains) & ~SET(adapters, domains);
    if
    :: fresh ->
        LOCK(guests_lock);
        LOCK(mdevs_lock);
        d_step { busy = ((MATRIX(0) | MATRIX(1)) & fresh) != 0; mdevs_lock = FREE; guests_lock = FREE }
    :: else
    fi;
    if
    :: busy -> perms_lock = FREE
    :: else ->
#ifdef THEFT
        perms_lock = FREE;
        LOCK(perms_lock);
#endif
        d_step { adapters = adapters | added; perms_lock = FREE; fresh = 0 };
        do
        :: q < 4 ->
            atomic { perms_lock == FREE -> want = OWNER(q) };
            atomic { device_lock[q] == FREE -> have = driver[q]; is_there = there[q] };
            if :: is_there && want != have -> reprobe(q) :: else fi;
            d_step { q++; want = 0; have = 0; is_there = false }
        :: else -> break
        od
    fi
}

proctype Assign(byte m; byte a; byte d) {
    bool with_guest;
    byte new;
#ifdef DEADLOCK
    LOCK(guests_lock);
    LOCK(perms_lock);
#else
    LOCK(perms_lock);
    LOCK(guests_lock);
#endif
    with_guest = open[m];
    if :: with_guest -> LOCK(kvm_lock[m]) :: else fi;
    LOCK(mdevs_lock);
    d_step {
        new = SET(matrix_adapters[m] | a, matrix_domains[m] | d);
        if
        :: (SET(adapters, domains) & new) != 0
        :: else ->
            if
            :: (MATRIX(1 - m) & new) != 0
            :: else ->
                matrix_adapters[m] = matrix_adapters[m] | a;
                matrix_domains[m] = matrix_domains[m] | d;
                if :: with_guest -> new = new & bound; set_apcb(m, new) :: else fi
            fi
        fi;
        mdevs_lock = FREE;
        if :: with_guest -> kvm_lock[m] = FREE :: else fi;
        guests_lock = FREE; perms_lock = FREE
    }
}

proctype Open(byte m) {
    byte new;
    LOCK(guests_lock);
    LOCK(kvm_lock[m]);
    LOCK(mdevs_lock);
    d_step {
        open[m] = true;
        new = MATRIX(m) & bound;
        set_apcb(m, new);
        mdevs_lock = FREE; kvm_lock[m] = FREE; guests_lock = FREE
    }
}

proctype Scan(byte gone) {
    byte guest, new;
    LOCK(scan_lock);
    LOCK(device_lock[gone]);
    if
    :: driver[gone] == VFIO -> bind(gone, false)
    :: driver[gone] == DEFAULT -> host_has = host_has & ~(1 << gone)
    :: else
    fi;
    d_step { driver[gone] = NONE; there[gone] = false; device_lock[gone] = FREE; scan_lock = FREE }
}

init {
    atomic {
        matrix_domains[0] = 1;
        matrix_adapters[1] = 2;
        run Mask(1);
        run Assign(0, 1, 0);
#if N >= 3
        run Scan(0);
#endif
#if N >= 4
        run Assign(1, 0, 2);
#endif
#if N >= 5
        run Mask(2);
#endif
#if N >= 6
        run Open(0);
#endif
    }
    _nr_pr == 1;
    assert((SET(adapters, domains) & (MATRIX(0) | MATRIX(1))) == 0)
}
