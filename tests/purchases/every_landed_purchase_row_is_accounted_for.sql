-- Guards: for each file of purchases, rows counted at landing = rows in raw = valid + quarantined rows. Without it a
-- row could be lost, or be in twice, in the load or on its way to quarantine.
with files as (
    select * from {{ ref('purchase_files') }}
),

quarantined as (
    select
        path,
        count(*) as row_count
    from {{ ref('quarantine_purchases') }}
    group by path
)

select
    coalesce(files.path, quarantined.path) as path,
    files.rows_landed,
    files.rows_valid,
    files.rows_quarantined,
    quarantined.row_count
from files
full outer join quarantined on files.path = quarantined.path
where
    files.path is null
    or files.rows_landed <> files.rows_valid + files.rows_quarantined
    or files.rows_quarantined <> coalesce(quarantined.row_count, 0)
