{#-
  Of a source whose files have states, the files whose rows are not accounted for: landed = archived = valid + quarantined,
  or refused. `archive`, `valid` and `quarantined` name relations with a `path` in each row.
-#}
{% macro unaccounted_files(files, archive, valid, quarantined) -%}
    with files as (
        select * from {{ files }}
    ),

    {%- for name, relation in [('archived_rows', archive), ('valid_rows', valid), ('quarantined_rows', quarantined)] %}

    {{ name }} as (
        select
            path,
            count(*) as row_count
        from {{ relation }}
        group by path
    ),
    {%- endfor %}

    counted as (
        select
            coalesce(files.path, archived_rows.path, valid_rows.path, quarantined_rows.path) as path,
            files.status,
            files.rows_landed,
            files.rows_valid,
            files.rows_quarantined,
            files.rows_refused,
            coalesce(archived_rows.row_count, 0) as in_archive,
            coalesce(valid_rows.row_count, 0) as in_valid,
            coalesce(quarantined_rows.row_count, 0) as in_quarantine
        from files
        full outer join archived_rows on files.path = archived_rows.path
        full outer join valid_rows on coalesce(files.path, archived_rows.path) = valid_rows.path
        full outer join quarantined_rows
            on coalesce(files.path, archived_rows.path, valid_rows.path) = quarantined_rows.path
    )

    select * from counted
    where
        status is null
        or in_valid <> rows_valid
        or in_quarantine <> rows_quarantined
        or in_archive <> in_valid + in_quarantine + rows_refused
        -- A refused file may have more rows counted than could be read: that is then why it is refused.
        or (status = 'loaded' and rows_landed <> in_archive)
{%- endmacro %}
