{#-
  How a raw table and the table of what is known of its files (file states, or deliveries) keep in step, whatever was
  selected, killed or restored in between. The second one keeps in its property strata.judged_through the version of raw that
  it has judged to the end; raw keeps in two properties what it loaded last (see load_landed).

  Called by load_landed before a load, and by the models that judge or record what was loaded.
-#}

{#- The version of raw that is judged to the end, as text; `nothing` before anything is, empty where nobody noted it. -#}
{% macro judged_through(files) %}
    {{ return('nothing' if files is none else table_property(files, 'strata.judged_through') or '') }}
{% endmacro %}


{#- The newest version of a Delta table and the operation that made it: an object with `version`, as text, and `operation`. -#}
{% macro newest_version(relation) %}
    {%- set row = run_query('describe history ' ~ relation ~ ' limit 1')[0] -%}
    {{ return({'version': row['version'] | string, 'operation': row['operation']}) }}
{% endmacro %}


{#- Before a load: whether all that raw holds is judged; else some rows may be of another delivery than is known. -#}
{% macro is_raw_judged(raw, files) %}
    {%- if raw is none -%}
        {{ return(true) }}
    {%- endif -%}
    {{ return(judged_through(files) == newest_version(raw).version) }}
{% endmacro %}


{#-
  After a load: whether raw holds, beside what is judged, just what the listing and what is known say is to be loaded, so
  that nobody needs to look at raw for it.
-#}
{% macro is_raw_as_listed(node, raw, files) %}
    {%- set newest = newest_version(raw) -%}
    {%- set judged = judged_through(files) -%}
    {%- if judged == newest.version -%}
        {{ return(true) }}
    {%- endif -%}
    {%- set properties = table_properties(raw) -%}
    {{ return(
        newest.operation == 'SET TBLPROPERTIES'
        and judged != ''
        and properties.get('strata.loaded_after') == judged
        and properties.get('strata.stock') == landed_stock(node.config.meta.source)
    ) }}
{% endmacro %}


{#- What the run found in the landing folder of a source, as a digest; empty where it did not, or could not, look. -#}
{% macro landed_stock(source) %}
    {{ return(env_var('STRATA_STOCK_' ~ source | upper, '')) }}
{% endmacro %}


{#- Whether raw has been loaded from the very listing of this run. -#}
{% macro is_raw_loaded(node) %}
    {%- set raw = built_relation(node.name) -%}
    {%- set stock = landed_stock(node.config.meta.source) -%}
    {{ return(raw is not none and stock != '' and table_property(raw, 'strata.stock') == stock) }}
{% endmacro %}


{#-
  Refuse to judge what raw has not loaded: its rows are not in raw, and it would be known from then on. `is_pending` says
  whether there is something of this kind.
-#}
{% macro check_raw_is_loaded(is_pending) %}
    {%- set raw = built_node(config.get('meta').raw) -%}
    {%- if is_pending and not is_raw_loaded(raw) -%}
        {% do exceptions.raise_compiler_error(
            model.name ~ ' would judge files that ' ~ raw.name ~ " has not loaded: select both, as in 'dbt build' or"
            ~ " 'dbt run --select " ~ raw.name ~ "+'."
        ) %}
    {%- endif -%}
{% endmacro %}


{#- Before there are file states, all that is listed is pending. -#}
{% macro check_first_load() %}
    {%- if execute -%}
        {% do check_raw_is_loaded(load_relation(this) is none) %}
    {%- endif -%}
{% endmacro %}


{#- How a node reads what lands: a number that goes up when the same file gives other rows (property strata.reader). -#}
{% macro reader_of(node) %}
    {{ return(node.config.get('tblproperties', {}).get('strata.reader')) }}
{% endmacro %}


{#- Whether the rows of a raw table were read in another way than its node reads them now. -#}
{% macro has_older_reader(node, raw) %}
    {{ return(raw is not none and reader_of(node) is not none and table_property(raw, 'strata.reader') != reader_of(node)) }}
{% endmacro %}


{#- The files whose rows in raw are not those that were judged, by the time of their load: `path`. -#}
{% macro unjudged_files(raw, files) -%}
    select coalesce(loaded.path, states.path) as path
    from (
        select
            path,
            max(loaded_at) as loaded_at
        from {{ raw }}
        group by path
    ) as loaded
    full outer join (
        select
            path,
            max(if(status = 'gone', null, loaded_at)) as loaded_at,
            max(if(status = 'gone', 0, rows_valid + rows_quarantined + rows_refused)) as row_count
        from ({{ no_files() if files is none else 'select * from ' ~ files }})
        group by path
    ) as states on loaded.path = states.path
    where
        (loaded.path is not null and not (loaded.loaded_at <=> states.loaded_at))
        or (loaded.path is null and states.row_count > 0)
{%- endmacro %}
