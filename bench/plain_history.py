"""A history of purchases as one writes it by hand in PySpark: CSV into Delta, and a MERGE; for comparison."""

from __future__ import annotations

from datetime import date
from pathlib import Path

COLUMNS = "PurchaseID string, product string, user string, date string"


def take_day(spark, landing: Path, day: date) -> None:
    """Load a landed day into plain.raw and merge it into plain.purchases, as stage.purchases has it of good rows."""
    spark.sql("create schema if not exists plain")
    spark.sql(
        f"create table if not exists plain.raw ({COLUMNS}, landed_on date) using delta partitioned by (landed_on)"
    )
    spark.sql(
        "create table if not exists plain.purchases (purchase_id bigint, product_id int, user_id int,"
        " purchased_on date, version int, valid_from date, valid_to date, recorded_on date, closed_on date) using delta"
    )
    folder = landing / "purchases" / f"{day:%Y/%m/%d}"
    rows = spark.read.csv(str(folder), header=True, schema=COLUMNS)
    rows.createOrReplaceTempView("landed")
    spark.sql(
        f"insert into plain.raw replace where landed_on = date'{day}' select *, date'{day}' as landed_on from landed"
    )
    spark.sql(f"""
        create or replace temporary view changes as
        with delivered as (
            select
                cast(PurchaseID as bigint) as purchase_id,
                cast(product as int) as product_id,
                cast(user as int) as user_id,
                cast(date as date) as purchased_on
            from plain.raw
            where landed_on = date'{day}'
        ),

        current_version as (select * from plain.purchases where valid_to is null),

        ended as (
            select purchase_id, max(version) as version, max(valid_to) as valid_to
            from plain.purchases
            where valid_to is not null
            group by purchase_id
        ),

        compared as (
            select
                coalesce(delivered.purchase_id, current_version.purchase_id) as purchase_id,
                delivered.product_id,
                delivered.user_id,
                delivered.purchased_on,
                current_version.version,
                current_version.valid_from,
                case
                    when delivered.purchase_id is null then 'removed'
                    when current_version.purchase_id is null then 'opened'
                    when delivered.product_id <> current_version.product_id
                        or delivered.user_id <> current_version.user_id
                        or delivered.purchased_on <> current_version.purchased_on then 'modified'
                end as kind
            from delivered
            full outer join current_version on delivered.purchase_id = current_version.purchase_id
        )

        select
            compared.*,
            coalesce(compared.version, ended.version, 0) + 1 as next_version,
            case
                when kind = 'removed' then date'{day}'
                when kind = 'modified' and purchased_on > valid_from then purchased_on
                when kind = 'opened' and purchased_on >= coalesce(ended.valid_to, purchased_on) then purchased_on
                else date'{day}'
            end as changed_from
        from compared
        left join ended on compared.purchase_id = ended.purchase_id
        where kind is not null
    """)
    spark.sql(f"""
        merge into plain.purchases as history
        using (
            select *, purchase_id as closed_id from changes where kind <> 'opened'
            union all
            select *, null as closed_id from changes where kind <> 'removed'
        ) as change
        on history.purchase_id = change.closed_id and history.valid_to is null
        when matched then update set valid_to = change.changed_from, closed_on = date'{day}'
        when not matched then insert
            (purchase_id, product_id, user_id, purchased_on, version, valid_from, recorded_on)
            values (
                change.purchase_id, change.product_id, change.user_id, change.purchased_on, change.next_version,
                change.changed_from, date'{day}'
            )
    """)
