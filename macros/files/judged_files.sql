{#-
  Files of events: the verdict on each, and the rows of those that are not refused. The bodies of the models <source>_files,
  stage_<source> and of its quarantine.
-#}

{#-
  A row for each loaded file of a source, with the verdict on it: refused for its fault, for a count of rows that differs
  from what was counted when it landed, or for more than max_quarantined_share of rows that are not valid; `gone` where a
  refused one has left the landing folder. `files` is the model loaded_files, `judged` the model judged_<source>.
  A refused file is judged again where the verdict would be another one: a limit lets it in by now, or it has gone.
-#}
{% macro judged_files(files, judged, name) -%}
    {%- set source = declared(name) -%}
    {%- set scope = changes_of(
        files, by='path', where="source = '" ~ name ~ "'", also=_files_to_judge_again(source),
    ) -%}
    with files as (
        select * from {{ files }}
        where source = '{{ name }}' and {{ in_scope(scope, 'path') }}
    ),

    counted as (
        select
            path,
            loaded_at,
            count(*) as rows_loaded,
            count_if(is_valid) as rows_valid
        from {{ judged }}
        where {{ in_scope(scope, 'path') }}
        group by path, loaded_at
    ),

    gone as (
        {{ _gone_files(source) }}
    ),

    with_reasons as (
        select
            files.*,
            coalesce(counted.rows_valid, 0) as valid_count,
            coalesce(counted.rows_loaded - counted.rows_valid, 0) as rows_not_valid,
            -- Rows of another load than is noted are not judged yet.
            coalesce(
                files.reason,
                {{ _share_refusal('counted.rows_loaded - counted.rows_valid', 'counted.rows_loaded', source) }}
            ) as refusal,
            gone.path is not null as is_gone
        from files
        left join counted on files.path = counted.path and files.loaded_at = counted.loaded_at
        left join gone on files.path = gone.path
    )

    select
        path,
        size,
        modified_at,
        loaded_at,
        rows_landed,
        if(refusal is null, valid_count, 0) as rows_valid,
        if(refusal is null, rows_loaded - valid_count, 0) as rows_quarantined,
        if(refusal is null, 0, rows_loaded) as rows_refused,
        rows_not_valid,
        fault,
        case when refusal is null then 'loaded' when is_gone then 'gone' else 'refused' end as status,
        refusal as reason
    from with_reasons
{%- endmacro %}


{#- The refused files, of this model's table, on which the verdict would be another one now: `value`. -#}
{% macro _files_to_judge_again(source) -%}
    select verdicts.path as value
    from {{ this }} as verdicts
    left join ({{ _gone_files(source) }}) as gone on verdicts.path = gone.path
    where
        (verdicts.status = 'refused' and gone.path is not null)
        or (verdicts.status = 'gone' and gone.path is null)
        or (
            verdicts.status <> 'loaded' and verdicts.fault is null and verdicts.rows_refused = verdicts.rows_landed
            and verdicts.rows_not_valid <= verdicts.rows_refused * {{ _limit_of(source, 'max_quarantined_share') }}
        )
{%- endmacro %}


{#- The loaded files of a source that are in the landing folder no longer; a unit test has none. -#}
{% macro _gone_files(source) -%}
    {%- if execute and model.resource_type != 'unit_test' -%}
    select known.path from ({{ _known_files(source) }}) as known
    left anti join (
        select path from ({{ _listed_files(source.name) }})
        where not is_gone
    ) as there on known.path = there.path
    {%- else -%}
    select cast(null as string) as path where false
    {%- endif -%}
{%- endmacro %}


{#- What changed in the files that are not refused, or were not; `files` is the model <source>_files. -#}
{% macro changed_files(files) %}
    {{ return(changes_of(files, by='path', where="status = 'loaded'")) }}
{% endmacro %}


{#- The judged rows, in scope, of files that are not refused, valid or not; `files` is the model <source>_files. -#}
{% macro accepted_rows(judged, files, scope, condition='true') -%}
    select judged.*
    from {{ judged }} as judged
    -- Rows that were loaded since then are not judged yet.
    inner join {{ files }} as files on judged.path = files.path and judged.loaded_at = files.loaded_at
    where files.status = 'loaded' and {{ in_scope(scope, 'judged.path') }} and {{ condition }}
{%- endmacro %}


{#- The rows that are not valid, of files that are not refused, as they landed and with all reasons. -#}
{% macro quarantined_rows(judged, files, name) -%}
    {%- set source = declared(name) -%}
    {%- set scope = changed_files(files) -%}
    select
        landed.*,
        other_columns,
        malformed_line,
        reasons,
        path,
        file_modified_at,
        loaded_at
    -- Of a file without such rows none are read.
    from ({{ accepted_rows(judged, files, scope, 'files.rows_quarantined > 0') }})
    where not is_valid
{%- endmacro %}
